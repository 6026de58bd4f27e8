import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { TlsConfig } from "#config/config.ts";
import type { Listener } from "./listener.ts";
import { type LoadedTls, loadTls } from "./tls.ts";
import { TlsError } from "./tls-pair.ts";

/** The certificate in force, and its files. */
export class TlsFiles {
  readonly #files: TlsConfig;
  readonly #clock: Clock;
  #loaded: LoadedTls;

  private constructor(files: TlsConfig, clock: Clock, loaded: LoadedTls) {
    this.#files = files;
    this.#clock = clock;
    this.#loaded = loaded;
  }

  /** @throws TlsError naming each file and what is wrong with it */
  static load(files: TlsConfig, clock: Clock): TlsFiles {
    return new TlsFiles(files, clock, loadTls(files, clock.nowMs()));
  }

  get context(): LoadedTls["context"] {
    return this.#loaded.context;
  }

  /** End of the certificate's validity, in milliseconds since the Unix epoch. */
  get expiresAtMs(): number {
    return this.#loaded.expiresAtMs;
  }

  /** Reads the files again. Connections go on; new ones get the new certificate, or, where it is not good, the old. */
  reloadInto(listener: Listener, log: Logger): void {
    try {
      const loaded = loadTls(this.#files, this.#clock.nowMs());
      listener.setCertificate(loaded.context);
      this.#loaded = loaded;
      log.info(
        { subject: loaded.subject, expires: new Date(loaded.expiresAtMs).toISOString() },
        "certificate reloaded",
      );
    } catch (thrown) {
      if (!(thrown instanceof TlsError)) throw thrown;
      log.error(
        { faults: thrown.message.split("\n") },
        "certificate not reloaded: the old one stays in force",
      );
    }
  }
}
