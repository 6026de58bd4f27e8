/**
 * Closed tables of the Centrifuge client protocol ("Errors", "Unsubscribe codes"), as far as this gateway says them: 101,
 * 110 and 2501 of the protocol never come, as there are no tokens of subscriptions and a bad token ends the connection. Disconnect codes stand in
 * `close-reason.ts`, since every transport shares their reasons.
 */
export const CentrifugeError = {
  internal: 100,
  unknown_channel: 102,
  permission_denied: 103,
  method_not_found: 104,
  already_subscribed: 105,
  limit_exceeded: 106,
  bad_request: 107,
  not_available: 108,
  token_expired: 109,
  too_many_requests: 111,
  unrecoverable_position: 112,
} as const;
export type CentrifugeError = (typeof CentrifugeError)[keyof typeof CentrifugeError];

/** The names of the codes, for metrics and the documentation. */
export const CENTRIFUGE_ERROR_NAMES: Readonly<Record<CentrifugeError, keyof typeof CentrifugeError>> = {
  100: "internal",
  102: "unknown_channel",
  103: "permission_denied",
  104: "method_not_found",
  105: "already_subscribed",
  106: "limit_exceeded",
  107: "bad_request",
  108: "not_available",
  109: "token_expired",
  111: "too_many_requests",
  112: "unrecoverable_position",
};

export interface CentrifugeErrorInfo {
  /** The protocol's own words, sent in the reply. */
  readonly message: string;
  /** True: SDKs try again by themselves. */
  readonly temporary: boolean;
  /** When this gateway answers so, for the documentation. */
  readonly meaning: string;
}

export const CENTRIFUGE_ERRORS: Readonly<Record<CentrifugeError, CentrifugeErrorInfo>> = {
  100: { message: "internal server error", temporary: true, meaning: "a fault of the gateway; try again" },
  102: {
    message: "unknown channel",
    temporary: false,
    meaning: "a channel is one topic; `*` and patterns are no channels",
  },
  103: {
    message: "permission denied",
    temporary: false,
    meaning: "the identity may not do this, or the password is wrong",
  },
  104: {
    message: "method not found",
    temporary: false,
    meaning: "the command holds a method that the protocol does not know",
  },
  105: {
    message: "already subscribed",
    temporary: false,
    meaning: "the connection subscribes to this channel already",
  },
  106: {
    message: "limit exceeded",
    temporary: false,
    meaning:
      "`limits.subscribersPerConnection` is reached, or the answer would be too large; `temporary`: every link of the topic's feed is full, and there may be room later",
  },
  107: {
    message: "bad request",
    temporary: false,
    meaning: "the topic's name, or another value of the command, is not valid",
  },
  108: {
    message: "not available",
    temporary: false,
    meaning: "a feature of the protocol that this gateway does not offer",
  },
  109: { message: "token expired", temporary: false, meaning: "the access token expired; get a new one" },
  111: {
    message: "too many requests",
    temporary: true,
    meaning: "too many attempts to sign in; try again later",
  },
  112: {
    message: "unrecoverable position",
    temporary: false,
    meaning: "the log no longer reaches back to the position asked for",
  },
};

/** SDKs subscribe again by themselves from 2500 on, not below. */
export const UnsubscribeCode = {
  server: 2000,
  insufficient_state: 2500,
} as const;
export type UnsubscribeCode = (typeof UnsubscribeCode)[keyof typeof UnsubscribeCode];

export interface UnsubscribeCodeInfo {
  /** The protocol's own words, sent in the push. */
  readonly reason: string;
  /** When this gateway says so, for the documentation. */
  readonly meaning: string;
}

export const UNSUBSCRIBE_CODES: Readonly<Record<UnsubscribeCode, UnsubscribeCodeInfo>> = {
  2000: { reason: "server unsubscribe", meaning: "the identity may no longer subscribe to the topic" },
  2500: {
    reason: "insufficient state",
    meaning:
      "events of the topic were lost, upstream or while a resume was read; subscribe again to learn the state",
  },
};
