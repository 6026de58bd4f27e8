/** The head of an HTTP/1.1 response, as far as a load client needs it. */
export interface ResponseHead {
  readonly status: number;
  readonly isChunked: boolean;
  /** Null: none was said. */
  readonly contentLength: number | null;
  /** Of a header field, by its name in lower case. */
  field(name: string): string | null;
}

/** Longest head that is waited for, in bytes. */
export const HEAD_BYTES_MAX = 32 * 1024;

/** Where a head that begins at `from` ends, its empty line included; -1: not within `end`. */
export function headEnd(bytes: Buffer, from: number, end: number): number {
  const found = bytes.subarray(from, end).indexOf("\r\n\r\n");
  return found < 0 ? -1 : from + found + 4;
}

/** Null: this is no HTTP/1.x response. */
export function parseHead(text: string): ResponseHead | null {
  const status = /^HTTP\/1\.[01] (\d{3})/.exec(text)?.[1];
  if (status === undefined) return null;
  const field = (name: string): string | null =>
    new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*\\r?$`, "im").exec(text)?.[1] ?? null;
  const length = field("content-length");
  return {
    status: Number(status),
    isChunked: /\bchunked\b/i.test(field("transfer-encoding") ?? ""),
    contentLength: length !== null && /^\d{1,15}$/.test(length) ? Number(length) : null,
    field,
  };
}

/** Takes the chunked coding off a body (RFC 9112, section 7.1). */
export class Dechunker {
  #left = 0;
  #state: "size" | "data" | "after" | "ended" = "size";

  get isEnded(): boolean {
    return this.#state === "ended";
  }

  /** Hands over the data within `from` to `end`; answers how far it got, since a size may be cut. Null: no such coding. */
  take(bytes: Buffer, from: number, end: number, data: (from: number, to: number) => void): number | null {
    let at = from;
    while (at < end && this.#state !== "ended") {
      if (this.#state === "data") {
        const to = Math.min(end, at + this.#left);
        data(at, to);
        this.#left -= to - at;
        at = to;
        if (this.#left === 0) this.#state = "after";
        continue;
      }
      const line = bytes.subarray(at, end).indexOf("\r\n");
      if (line < 0) return end - at > SIZE_LINE_MAX ? null : at;
      const text = bytes.toString("latin1", at, at + line);
      at += line + 2;
      if (this.#state === "after") {
        if (text !== "") return null;
        this.#state = this.#last ? "ended" : "size";
      } else {
        const size = /^([0-9a-f]{1,8})[ \t]*(?:;|$)/i.exec(text)?.[1];
        if (size === undefined) return null;
        this.#left = Number.parseInt(size, 16);
        this.#last = this.#left === 0;
        // Trailers are not expected: an empty line ends the body.
        this.#state = this.#last ? "after" : "data";
      }
    }
    return at;
  }

  #last = false;
}

const SIZE_LINE_MAX = 4096;
