import type { LinkReason } from "./link-reason.ts";

/** One request for an event stream on one connection, whatever version of HTTP that speaks. */
export interface Exchange {
  /** Ends it now. Idempotent; nothing more is said. */
  destroy(): void;
}

export interface ExchangeListener {
  /** The final response's status and fields; none before it (1xx). */
  answered(status: number, headers: ExchangeHeaders): void;
  data(chunk: Buffer): void;
  /** It is over, and has not been destroyed. Said once, and nothing after it. */
  over(end: ExchangeEnd): void;
}

export type ExchangeHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** What a request says of itself. */
export interface ExchangeRequest {
  readonly url: URL;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface ExchangeEnd {
  readonly reason: LinkReason;
  readonly message: string;
  readonly again: Again;
}

/**
 * Whether the peer asks for the same request once more, at once. `anew`: it has not looked at this one and goes away
 * in an orderly manner (RFC 9113, 6.8); `http1`: it answers this one over HTTP/1.1 only (7, HTTP_1_1_REQUIRED).
 */
export type Again = "no" | "anew" | "http1";

/** A connection that can carry a request. */
export interface Carrier {
  /** May say `over` before it returns. */
  request(request: ExchangeRequest, listener: ExchangeListener): Exchange;
}
