import type { Clock } from "#base/clock.ts";
import { CodedError } from "#base/errors.ts";
import { TokenBucket } from "#base/token-bucket.ts";

/** What costs a client nothing and the gateway something, so that only so much of it is taken. */
export type FloodKind = keyof typeof BOUNDS;

/** How often each may come, for a session. A page that is left ends all its streams at once. */
const BOUNDS = {
  /** Streams that ended by RST_STREAM, whoever sent it (CVE-2023-44487 and, of the gateway's own, CVE-2025-8671). */
  reset: { perSecond: 10, burst: 100 },
  /** PING frames (CVE-2019-9512). */
  ping: { perSecond: 1, burst: 20 },
  /** SETTINGS frames (CVE-2019-9515). */
  settings: { perSecond: 1, burst: 10 },
} as const;

/** Why an HTTP/2 session was ended by the gateway. */
export type Http2ErrorCode = "http2_flood" | "http2_sessions" | "http2_silent";

/** What each code means, for the documentation. */
export const HTTP2_ERRORS: Readonly<Record<Http2ErrorCode, string>> = {
  http2_flood:
    "its client reset streams, or sent PING or SETTINGS frames, far more often than one that means well",
  http2_silent:
    "its client did not answer a PING within `heartbeat.interval`, or sent what ended HTTP/2 between the two",
  http2_sessions: "its address had as many sessions as `limits.connectionsPerAddress` already",
};

/** What a session is ended with. Its streams end with it. */
export class Http2Misuse extends CodedError<Http2ErrorCode> {
  constructor(code: Http2ErrorCode, what: string) {
    super(code, `${HTTP2_ERRORS[code]} (${what})`);
  }
}

/** Counts one session's floods. It decides; who asked ends the session. */
export class Http2Guard {
  readonly #clock: Clock;
  readonly #buckets: Record<FloodKind, TokenBucket> = {
    reset: new TokenBucket(),
    ping: new TokenBucket(),
    settings: new TokenBucket(),
  };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether one more is still within bounds. */
  allows(kind: FloodKind): boolean {
    const { perSecond, burst } = BOUNDS[kind];
    return this.#buckets[kind].take(this.#clock.monotonicMs(), perSecond, burst);
  }
}
