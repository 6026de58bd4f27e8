import type { MercureErrorCode } from "#protocol/mercure.ts";
import type { BearerError } from "#protocol/mercure-challenge.ts";

/** Why a request to the hub is refused, beside its being malformed (`MercureErrorCode`). A closed list. */
export const RefusalCode = {
  invalid_request: "invalid_request",
  invalid_token: "invalid_token",
  unauthorized: "unauthorized",
  insufficient_scope: "insufficient_scope",
  origin_not_allowed: "origin_not_allowed",
  issuer_unreachable: "issuer_unreachable",
  busy: "busy",
  bad_request: "bad_request",
  draining: "draining",
  memory_short: "memory_short",
  feed_full: "feed_full",
  connection_limit: "connection_limit",
  user_connection_limit: "user_connection_limit",
  address_connection_limit: "address_connection_limit",
  connection_rate: "connection_rate",
  pattern_limit: "pattern_limit",
  no_subscription: "no_subscription",
  server_error: "server_error",
} as const;
export type RefusalCode = (typeof RefusalCode)[keyof typeof RefusalCode];

/** What each code means, for the documentation; messages say more. */
export const REFUSALS: Readonly<Record<RefusalCode, string>> = {
  invalid_request: "400: the Authorization field is not `Bearer` and a token",
  invalid_token: "401: the access token is not valid, or no longer",
  unauthorized: "401: no access token was shown, and one is needed",
  insufficient_scope: "403: the access token does not permit one of the topics",
  origin_not_allowed: "403: a cookie came from the page of an origin that is not in `listen.origins`",
  issuer_unreachable: "503, for a stream 200: the keys of the token's issuer can't be had",
  busy: "503, for a stream 200: too many tokens or passwords are being checked at once, or too many bodies sent",
  bad_request: "400: a stream's request with a body, or sent behind another one on the same connection",
  draining: "200 and a reconnection time: the gateway is stopping",
  memory_short: "200 and a reconnection time: the process is near `limits.memory`",
  feed_full: "200 and a reconnection time: every link of a topic's feed is full",
  connection_limit: "200 and a reconnection time: `limits.connections` is reached",
  user_connection_limit: "200 and a reconnection time: `limits.connectionsPerUser` is reached",
  connection_rate: "200 and a reconnection time: `limits.connectionsPerSecond` is reached",
  address_connection_limit: "200 and a reconnection time: `limits.connectionsPerAddress` is reached",
  pattern_limit: "200 and a reconnection time: too many patterns that are costly to match are subscribed to",
  no_subscription: "404: no active subscription has this path",
  server_error: "500, for a stream 200 and a reconnection time: a fault of the gateway",
};

/** A request that is not fulfilled: a status, a code for programs, words for people. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: RefusalCode | MercureErrorCode;
  /** Set where the access token is what is wrong (RFC 6750); null: it is missing. */
  readonly challenge: BearerError | null | undefined;
  /** For the field `Retry-After`, in seconds; null: not sent. */
  readonly retryAfterS: number | null;

  constructor(
    status: number,
    code: RefusalCode | MercureErrorCode,
    message: string,
    options: { challenge?: BearerError | null; retryAfterS?: number | null } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.challenge = options.challenge;
    this.retryAfterS = options.retryAfterS ?? null;
  }
}
