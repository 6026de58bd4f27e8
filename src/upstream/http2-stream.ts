import { type ClientHttp2Stream, constants, type IncomingHttpHeaders } from "node:http2";
import type { Exchange, ExchangeEnd, ExchangeListener } from "./exchange.ts";

/** Largest response header, in bytes: as much as over HTTP/1.1. */
const HEADER_BYTES_MAX = 16 * 1024;

/** The session, as one of its streams sees it. */
export interface StreamHome {
  /** Bytes came. */
  heard(): void;
  /** It is over for whoever asked. */
  left(exchange: Http2Exchange): void;
  endOf(stream: StreamEnd): ExchangeEnd;
  /** Whether its connection is gone, known or not yet told. */
  isDown(): boolean;
}

export interface StreamEnd {
  /** RFC 9113, section 7. */
  readonly code: number;
  readonly error: Error | null;
  readonly isAnswered: boolean;
}

/** One request and its response on an HTTP/2 session. */
export class Http2Exchange implements Exchange {
  readonly #stream: ClientHttp2Stream;
  readonly #listener: ExchangeListener;
  readonly #home: StreamHome;
  #error: Error | null = null;
  #isAnswered = false;
  #over = false;

  constructor(stream: ClientHttp2Stream, listener: ExchangeListener, home: StreamHome) {
    this.#stream = stream;
    this.#listener = listener;
    this.#home = home;
    stream.on("response", (headers) => this.#answered(headers));
    stream.on("data", (chunk: Buffer) => {
      home.heard();
      if (!this.#over) listener.data(chunk);
    });
    stream.on("end", () => {
      // Node says it of a stream that was cut as well: told apart by its code, and by what the session says of itself.
      if (stream.rstCode !== constants.NGHTTP2_NO_ERROR || !this.#isAnswered || home.isDown()) return;
      this.finish({ reason: "ended", message: "the feed ended the stream", again: "no" });
    });
    stream.on("error", (error) => {
      this.#error = error;
    });
    stream.once("close", () => this.#closed());
  }

  destroy(): void {
    this.#over = true;
    if (!this.#stream.destroyed) {
      this.#stream.close(constants.NGHTTP2_CANCEL);
      this.#stream.destroy();
    }
    this.#home.left(this);
  }

  /** Ends it and says why, unless that has been said. */
  finish(end: ExchangeEnd): void {
    if (this.#over) return;
    this.destroy();
    this.#listener.over(end);
  }

  #answered(headers: IncomingHttpHeaders & { readonly ":status"?: number | undefined }): void {
    this.#home.heard();
    if (this.#over) return;
    this.#isAnswered = true;
    if (headerBytes(headers) > HEADER_BYTES_MAX) {
      const message = `headers of more than ${HEADER_BYTES_MAX} bytes`;
      this.finish({ reason: "headers_too_large", message, again: "no" });
    } else {
      this.#listener.answered(headers[":status"] ?? 0, headers);
    }
  }

  #closed(): void {
    if (this.#over) return;
    const { rstCode: code } = this.#stream;
    const end = this.#home.endOf({ code, error: this.#error, isAnswered: this.#isAnswered });
    this.finish(end);
  }
}

function headerBytes(headers: IncomingHttpHeaders): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    bytes += name.length + (Array.isArray(value) ? value.join("; ").length : String(value ?? "").length);
  }
  return bytes;
}
