import type { Mark } from "./script.ts";

/** Finds a mark in a stream of chunks: says at which index of the chunk it lies, or null if it comes later. */
export interface MarkFinder {
  find(chunk: Uint8Array): number | null;
}

/** @param inBody the stream is past its response's head already */
export function markFinder(mark: Mark, inBody: boolean): MarkFinder {
  return "bytes" in mark ? new ByteFinder(mark.bytes) : new EventFinder(mark.events, mark.inside, inBody);
}

class ByteFinder implements MarkFinder {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  find(chunk: Uint8Array): number | null {
    const at = this.#left;
    this.#left -= chunk.length;
    return at <= chunk.length ? at : null;
  }
}

const LF = 0x0a;
const CR = 0x0d;
const DATA = [0x64, 0x61, 0x74, 0x61];
/** Past "data: " and into the value. */
const INSIDE_COLUMN = 8;

/**
 * Counts events by their lines, ended by LF or CRLF, in the bytes as they travel. The framing of `chunked` puts lines of
 * its own between them, which are neither data nor empty ones that count, as long as no chunk ends within a line.
 */
class EventFinder implements MarkFinder {
  #left: number;
  readonly #inside: "event" | "character" | undefined;
  #inBody: boolean;
  #lineLength = 0;
  /** How many of the line's first bytes spell "data". */
  #spelt = 0;
  #blockHasData = false;
  #endsWithCr = false;

  constructor(events: number, inside: "event" | "character" | undefined, inBody: boolean) {
    this.#left = events;
    this.#inside = inside;
    this.#inBody = inBody;
  }

  find(chunk: Uint8Array): number | null {
    if (this.#isHere()) return 0;
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number;
      if (byte === LF) this.#endLine();
      else if (this.#isInside(byte)) return at + 1;
      if (this.#isHere()) return at + 1;
    }
    return null;
  }

  #isHere(): boolean {
    return this.#inBody && this.#left === 0 && this.#inside === undefined;
  }

  #endLine(): void {
    const isEmpty = this.#lineLength === (this.#endsWithCr ? 1 : 0);
    if (this.#spelt === DATA.length) this.#blockHasData = true;
    this.#lineLength = 0;
    this.#spelt = 0;
    this.#endsWithCr = false;
    if (!isEmpty) return;
    if (!this.#inBody) {
      this.#inBody = true;
      this.#blockHasData = false;
    } else if (this.#blockHasData) {
      this.#blockHasData = false;
      if (this.#left > 0) this.#left--;
    }
  }

  /** Takes in a byte of a line; whether the mark lies right after it. */
  #isInside(byte: number): boolean {
    if (this.#spelt === this.#lineLength && byte === DATA[this.#spelt]) this.#spelt++;
    this.#lineLength++;
    this.#endsWithCr = byte === CR;
    if (!this.#inBody || this.#left > 0 || this.#spelt < DATA.length) return false;
    if (this.#inside === "event") return this.#lineLength >= INSIDE_COLUMN;
    // The first byte of a sequence of two to four.
    return this.#inside === "character" && byte >= 0xc2 && byte <= 0xf4;
  }
}
