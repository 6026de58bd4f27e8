import type { Clock } from "#base/clock.ts";
import type { TlsConfig } from "#config/config.ts";
import { type LoadedTls, loadTls } from "./tls.ts";

/** The certificate in force, and its files. */
export class TlsFiles {
  readonly #clock: Clock;
  #loaded: LoadedTls;

  private constructor(clock: Clock, loaded: LoadedTls) {
    this.#clock = clock;
    this.#loaded = loaded;
  }

  /** @throws TlsError naming each file and what is wrong with it */
  static load(files: TlsConfig, clock: Clock): TlsFiles {
    return new TlsFiles(clock, loadTls(files, clock.nowMs()));
  }

  get context(): LoadedTls["context"] {
    return this.#loaded.context;
  }

  /** End of the certificate's validity, in milliseconds since the Unix epoch. */
  get expiresAtMs(): number {
    return this.#loaded.expiresAtMs;
  }

  /**
   * Reads the files again, or others; nothing is in force yet.
   *
   * @throws TlsError as `load`
   */
  read(files: TlsConfig): LoadedTls {
    return loadTls(files, this.#clock.nowMs());
  }

  /** The pair that was read is in force. */
  replace(loaded: LoadedTls): void {
    this.#loaded = loaded;
  }
}
