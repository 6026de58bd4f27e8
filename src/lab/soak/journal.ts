import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import type { Line } from "./sample.ts";

/** How many lines may be lost when the machine stops. */
const SYNC_EVERY = 10;

/** The run's samples and notes as they come, a line of JSON each, so that a run can be resumed. */
export class Journal implements Disposable {
  readonly lines: Line[];
  readonly #descriptor: number;
  #unsynced = 0;

  private constructor(file: string, lines: Line[]) {
    this.lines = lines;
    this.#descriptor = openSync(file, "a");
  }

  /** Opens a new one, or one that is to be gone on with. */
  static open(file: string, resume: boolean): Journal {
    return new Journal(file, resume && existsSync(file) ? readLines(file) : []);
  }

  write(line: Line): void {
    this.lines.push(line);
    writeSync(this.#descriptor, `${JSON.stringify(line)}\n`);
    if (++this.#unsynced < SYNC_EVERY) return;
    this.#unsynced = 0;
    fsyncSync(this.#descriptor);
  }

  [Symbol.dispose](): void {
    fsyncSync(this.#descriptor);
    closeSync(this.#descriptor);
  }
}

/** All lines but one that a crash cut off. */
function readLines(file: string): Line[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((text): Line[] => {
      try {
        return [JSON.parse(text) as Line];
      } catch {
        return [];
      }
    });
}
