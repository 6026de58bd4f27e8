import { createHash, type Hash } from "node:crypto";

const LINES_AT_ONCE = 256;

/** What happened in a run, as a digest: equal digests are equal runs, to the byte. */
export class Trace {
  readonly #hash: Hash = createHash("sha256");
  #lines: string[] = [];
  /** Told each line as it is written; for whoever wants to read a run. */
  readonly #tell: ((line: string) => void) | null;

  constructor(tell: ((line: string) => void) | null = null) {
    this.#tell = tell;
  }

  note(nowMs: number, ...parts: readonly (string | number | boolean | null)[]): void {
    const line = `${nowMs} ${parts.join(" ")}\n`;
    this.#tell?.(line);
    this.#lines.push(line);
    if (this.#lines.length === LINES_AT_ONCE) this.#take();
  }

  /** Of all that was noted; to be asked once. */
  digest(): string {
    this.#take();
    return this.#hash.digest("hex").slice(0, 32);
  }

  #take(): void {
    this.#hash.update(this.#lines.join(""));
    this.#lines = [];
  }
}
