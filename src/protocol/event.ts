/** What a feed or a publisher hands in, before the hub has given it a place in the log. */
export interface Publication {
  /** The canonical topic first, alternates after it; at least one. */
  readonly topics: readonly [string, ...string[]];
  /** The event's data as text. JSON where it can be; SSE sends it as it is. */
  readonly data: string;
  /** SSE event type; "" is the default type, `message`. */
  readonly type?: string;
  /** The publisher's own id; null or absent: the cursor is the id. */
  readonly id?: string | null;
  /** SSE reconnection time to send with the event, in milliseconds; null or absent: none. */
  readonly retryMs?: number | null;
  /** True: only for identities with a grant for one of the topics. Default false. */
  readonly private?: boolean;
  /** How the event changes its canonical topic's state. Default `none`. */
  readonly state?: StateMode;
}

/**
 * What a topic remembers for a new subscriber: nothing; its last event's data; or its events' data merged
 * (RFC 7396, JSON Merge Patch).
 */
export const StateMode = { none: "none", last: "last", merge: "merge" } as const;
export type StateMode = (typeof StateMode)[keyof typeof StateMode];

/** The wire formats that events are encoded into, once each. */
export const WireFormat = { sse: 0, centrifugeJson: 1 } as const;
export type WireFormat = (typeof WireFormat)[keyof typeof WireFormat];
