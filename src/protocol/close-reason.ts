/**
 * Every way in which a downstream connection ends. One table, so that code, log lines, metrics and documentation
 * agree. `websocketCode` ranges tell a Centrifuge SDK what to do: 3000 to 3499 reconnect, 3500 to 3999 do not
 * (Centrifuge client protocol, "Disconnect codes"). Null: the peer is gone or cut, and no code can be sent.
 */
export const CloseReason = {
  client_closed: "client_closed",
  connection_reset: "connection_reset",
  timed_out: "timed_out",
  write_error: "write_error",
  shutdown: "shutdown",
  server_error: "server_error",
  token_expired: "token_expired",
  slow_consumer: "slow_consumer",
  insufficient_state: "insufficient_state",
  forced_reconnect: "forced_reconnect",
  too_old: "too_old",
  memory_pressure: "memory_pressure",
  no_pong: "no_pong",
  too_many_requests: "too_many_requests",
  invalid_token: "invalid_token",
  bad_request: "bad_request",
  stale: "stale",
  forced_disconnect: "forced_disconnect",
  feed_full: "feed_full",
  connection_limit: "connection_limit",
  inappropriate_protocol: "inappropriate_protocol",
  permission_denied: "permission_denied",
  too_many_errors: "too_many_errors",
  message_too_large: "message_too_large",
} as const;
export type CloseReason = (typeof CloseReason)[keyof typeof CloseReason];

export interface CloseReasonInfo {
  /** Code of the WebSocket close frame; null where none can be sent. */
  readonly websocketCode: number | null;
  /** Text of the close frame, at most 123 bytes; the protocol's own words. */
  readonly text: string;
  /** What happened, for the documentation and the log. */
  readonly meaning: string;
}

export const CLOSE_REASONS: Readonly<Record<CloseReason, CloseReasonInfo>> = {
  client_closed: {
    websocketCode: null,
    text: "",
    meaning: "the client closed the connection in an orderly way",
  },
  connection_reset: {
    websocketCode: null,
    text: "",
    meaning: "the client's side reset the connection (ECONNRESET, EPIPE, aborted)",
  },
  timed_out: {
    websocketCode: null,
    text: "",
    meaning: "the operating system gave the peer up (ETIMEDOUT, EHOSTUNREACH)",
  },
  write_error: {
    websocketCode: 3009,
    text: "write error",
    meaning: "a write failed for another cause than a reset",
  },
  shutdown: { websocketCode: 3001, text: "shutdown", meaning: "the gateway drains; reconnect" },
  server_error: {
    websocketCode: 3004,
    text: "internal server error",
    meaning: "a fault of the gateway; reconnect",
  },
  token_expired: {
    websocketCode: 3005,
    text: "connection expired",
    meaning: "the access token expired and was not refreshed",
  },
  slow_consumer: {
    websocketCode: 3008,
    text: "slow",
    meaning:
      "the client did not read as fast as events came; its queue reached `limits.queueBytes` or its write deadline",
  },
  insufficient_state: {
    websocketCode: 3010,
    text: "insufficient state",
    meaning: "the log lost events that the connection was still to get; reconnect and resume",
  },
  forced_reconnect: {
    websocketCode: 3011,
    text: "force reconnect",
    meaning: "sent away by the gateway or an operator; reconnect",
  },
  too_old: {
    websocketCode: 3011,
    text: "force reconnect",
    meaning: "it reached `limits.connectionAge`; reconnect, perhaps to another node",
  },
  memory_pressure: {
    websocketCode: 3011,
    text: "force reconnect",
    meaning: "among the heaviest when the process came near `limits.memory`; reconnect later",
  },
  no_pong: {
    websocketCode: 3012,
    text: "no pong",
    meaning: "no answer to a ping within `heartbeat.timeout`",
  },
  too_many_requests: {
    websocketCode: 3013,
    text: "too many requests",
    meaning: "commands came faster than allowed",
  },
  invalid_token: { websocketCode: 3500, text: "invalid token", meaning: "the access token is not valid" },
  bad_request: { websocketCode: 3501, text: "bad request", meaning: "the client broke the protocol" },
  stale: {
    websocketCode: 3502,
    text: "stale",
    meaning: "the client connected and did not sign in or subscribe in time",
  },
  forced_disconnect: {
    websocketCode: 3503,
    text: "force disconnect",
    meaning: "sent away for good: signed out, disabled, or by an operator",
  },
  feed_full: {
    websocketCode: null,
    text: "",
    meaning:
      "an SSE stream asked for a topic whose feed is full: every link carries `pool.keysPerLink` keys; or it had one that the feed rejected for a while, and whose place others have taken; it may come back",
  },
  connection_limit: {
    websocketCode: 3504,
    text: "connection limit",
    meaning: "a limit on connections is reached",
  },
  inappropriate_protocol: {
    websocketCode: 3506,
    text: "inappropriate protocol",
    meaning: "a frame of a kind that is not spoken here, such as a binary one",
  },
  permission_denied: {
    websocketCode: 3507,
    text: "permission denied",
    meaning: "the identity may not do this",
  },
  too_many_errors: { websocketCode: 3509, text: "too many errors", meaning: "too many commands failed" },
  message_too_large: {
    websocketCode: 1009,
    text: "message too large",
    meaning: "a message was larger than `limits.requestBytes`",
  },
};
