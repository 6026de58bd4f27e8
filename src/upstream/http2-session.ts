import { validateHeaderValue } from "node:http";
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Clock, Timer } from "#base/clock.ts";
import { codeOf, messageOf } from "#base/errors.ts";
import type { Carrier, Exchange, ExchangeEnd, ExchangeListener, ExchangeRequest } from "./exchange.ts";
import { checkSession, type SessionPace } from "./http2-health.ts";
import { Http2Exchange, type StreamEnd, type StreamHome } from "./http2-stream.ts";
import { errorReason, http2Reason } from "./link-reason.ts";

/** Most streams on one session, whatever the peer allows: one broken connection should not break more links at once. */
export const STREAMS_MAX = 100;

/**
 * Bytes that the feed may send before we have read what it sent: of one stream, and of all. Node's 64 KiB for both
 * would hold a line of 100 ms to 640 KiB a second, for all links together. What arrives is read at once, so that
 * these do not become memory.
 */
const STREAM_WINDOW_BYTES = 1024 * 1024;
const SESSION_WINDOW_BYTES = 8 * 1024 * 1024;

export interface SessionOwner {
  /** The peer's settings are here: it may carry streams. */
  ready(session: Http2Session): void;
  /** It is over, and what it carried is about to be told. Said once. */
  over(session: Http2Session, end: ExchangeEnd): void;
}

/**
 * One HTTP/2 connection that carries the streams of many links (RFC 9113). It owns its socket, its one timer and its
 * streams.
 *
 * ```
 * opening ──peer's SETTINGS──▶ ready ──GOAWAY without error──▶ leaving ──last stream ends──▶ over
 *    └────────────────────────── any fault, PING unanswered, nothing to do ────────────────▶ over
 * ```
 */
export class Http2Session implements Carrier {
  readonly #socket: TLSSocket;
  readonly #clock: Clock;
  readonly #pace: SessionPace;
  readonly #owner: SessionOwner;
  readonly #session: ClientHttp2Session;
  readonly #exchanges = new Set<Http2Exchange>();
  /** Streams that count for the peer: those that were cut too, until that is on its way. */
  #places = 0;
  #state: "opening" | "ready" | "leaving" | "over" = "opening";
  #end: ExchangeEnd | null = null;
  #timer: Timer | null = null;
  #emptySinceMs: number;
  #heardAtMs: number;
  #pingedAtMs: number | null = null;
  readonly #home: StreamHome;

  /** @param socket connected, `h2` agreed on; from the same turn in which that became known */
  constructor(socket: TLSSocket, origin: string, clock: Clock, pace: SessionPace, owner: SessionOwner) {
    this.#socket = socket;
    this.#clock = clock;
    this.#pace = pace;
    this.#owner = owner;
    this.#emptySinceMs = clock.monotonicMs();
    this.#heardAtMs = this.#emptySinceMs;
    this.#home = {
      heard: () => {
        this.#heardAtMs = clock.monotonicMs();
      },
      left: (exchange) => this.#left(exchange),
      endOf: (stream) => this.#endOf(stream),
      isDown: () => this.#isDown(),
    };
    this.#session = connect(origin, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    });
    this.#listen();
  }

  /** How many more streams it can carry now. */
  get room(): number {
    if (this.#state !== "ready") return 0;
    const limit = Math.min(STREAMS_MAX, this.#session.remoteSettings.maxConcurrentStreams ?? STREAMS_MAX);
    return Math.max(0, limit - this.#places);
  }

  request({ url, headers }: ExchangeRequest, listener: ExchangeListener): Exchange {
    let stream: ClientHttp2Stream;
    try {
      // As over HTTP/1.1; Node's HTTP/2 would send a line break as it stands.
      for (const [name, value] of Object.entries(headers)) validateHeaderValue(name, value);
      stream = this.#session.request(
        {
          ":method": "GET",
          ":scheme": "https",
          ":authority": url.host,
          ":path": `${url.pathname}${url.search}`,
          ...headers,
        },
        { endStream: true },
      );
    } catch (thrown) {
      listener.over({ reason: errorReason(thrown, "headers"), message: messageOf(thrown), again: "no" });
      return { destroy: () => {} };
    }
    this.#places++;
    stream.once("close", () => this.#places--);
    const exchange = new Http2Exchange(stream, listener, this.#home);
    // Its silence before does not count: nobody was listening.
    if (this.#exchanges.size === 0) this.#heardAtMs = this.#clock.monotonicMs();
    this.#exchanges.add(exchange);
    this.#look();
    return exchange;
  }

  /** The end, at once: what it still carries is told so. Idempotent. */
  destroy(end: ExchangeEnd): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#end = end;
    this.#timer?.cancel();
    this.#timer = null;
    const exchanges = [...this.#exchanges];
    this.#exchanges.clear();
    // It says GOAWAY; the socket is then not waited for.
    this.#session.destroy();
    this.#socket.destroy();
    this.#owner.over(this, end);
    for (const exchange of exchanges) exchange.finish(end);
  }

  #listen(): void {
    const session = this.#session;
    session.once("connect", () => {
      if (!session.destroyed) session.setLocalWindowSize(SESSION_WINDOW_BYTES);
    });
    session.on("remoteSettings", () => {
      if (this.#state !== "opening") return;
      this.#state = "ready";
      this.#emptySinceMs = this.#clock.monotonicMs();
      this.#owner.ready(this);
      this.#look();
    });
    session.on("goaway", (code) => this.#goaway(code));
    session.on("error", (error) => this.#broken(error));
    session.once("close", () => this.#broken(null));
    // The session hears of it as well, but some turns later, and without the error.
    this.#socket.once("error", (error) => this.#broken(error));
    this.#socket.once("close", () => this.#broken(null));
  }

  /** With code 0, streams up to the last one that it names go on (RFC 9113, 6.8); Node ends those above it. */
  #goaway(code: number): void {
    if (code !== constants.NGHTTP2_NO_ERROR) {
      this.destroy({
        reason: http2Reason(code),
        message: `the feed closed the HTTP/2 session: ${http2CodeName(code)}`,
        again: code === constants.NGHTTP2_HTTP_1_1_REQUIRED ? "http1" : "no",
      });
    } else if (this.#state === "opening") {
      this.destroy({
        reason: "stream_refused",
        message: "the feed went away at once (GOAWAY)",
        again: "anew",
      });
    } else if (this.#state === "ready") {
      this.#state = "leaving";
      if (this.#exchanges.size === 0) this.destroy(LEFT);
    }
  }

  #broken(error: Error | null): void {
    if (this.#state === "over") return;
    const phase = this.#state === "opening" ? "headers" : "open";
    const again = this.#state === "leaving" ? "anew" : "no";
    if (error !== null) this.destroy({ reason: errorReason(error, phase), message: messageOf(error), again });
    else this.destroy({ reason: "truncated", message: "the HTTP/2 session's connection was closed", again });
  }

  /** Why a stream has ended that says itself by which code only. */
  #endOf({ code, error, isAnswered }: StreamEnd): ExchangeEnd {
    if (this.#end !== null) return this.#end;
    if (this.#isDown()) {
      this.#broken(error !== null && codeOf(error) !== "ERR_HTTP2_STREAM_ERROR" ? error : null);
      if (this.#end !== null) return this.#end;
    }
    const isUnseen = this.#state === "leaving" && !isAnswered;
    const wasOrderly = isAnswered && code === constants.NGHTTP2_NO_ERROR;
    return {
      reason: isUnseen ? "stream_refused" : wasOrderly ? "ended" : http2Reason(code),
      message: isUnseen
        ? "the feed went away before it answered (GOAWAY)"
        : `the feed ended the HTTP/2 stream: ${http2CodeName(code)}`,
      again: isUnseen ? "anew" : code === constants.NGHTTP2_HTTP_1_1_REQUIRED ? "http1" : "no",
    };
  }

  #isDown(): boolean {
    return this.#state === "over" || this.#session.destroyed || this.#socket.destroyed;
  }

  #left(exchange: Http2Exchange): void {
    if (!this.#exchanges.delete(exchange) || this.#exchanges.size > 0) return;
    this.#emptySinceMs = this.#clock.monotonicMs();
    if (this.#state === "leaving") this.destroy(LEFT);
    else this.#look();
  }

  /** Does what is to be done about its health, and sets the one timer to when to look again. */
  #look(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#state === "over" || this.#state === "opening") return;
    const nowMs = this.#clock.monotonicMs();
    const health = {
      streams: this.#exchanges.size,
      emptySinceMs: this.#emptySinceMs,
      heardAtMs: this.#heardAtMs,
      pingedAtMs: this.#pingedAtMs,
    };
    const verdict = checkSession(health, this.#pace, nowMs);
    switch (verdict.do) {
      case "wait":
        this.#timer = this.#clock.after(verdict.atMs - nowMs, () => this.#look());
        return;
      case "ping":
        this.#ping(nowMs);
        return;
      case "leave":
        this.destroy(LEFT);
        return;
      case "give up":
        this.destroy({
          reason: "ping_timeout",
          message: `no answer to an HTTP/2 PING within ${this.#pace.pingTimeoutMs} ms`,
          again: "no",
        });
        return;
    }
  }

  #ping(nowMs: number): void {
    this.#pingedAtMs = nowMs;
    this.#session.ping((error) => {
      if (error !== null || this.#state === "over") return;
      this.#pingedAtMs = null;
      this.#heardAtMs = this.#clock.monotonicMs();
      this.#look();
    });
    this.#look();
  }
}

const LEFT: ExchangeEnd = { reason: "unwanted", message: "", again: "no" };

/** The error code's name in RFC 9113, section 7. */
function http2CodeName(code: number): string {
  return HTTP2_CODES[code] ?? `code ${code}`;
}

const HTTP2_CODES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];
