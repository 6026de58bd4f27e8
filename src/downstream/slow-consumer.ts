/** What is done about a frame for a client that does not read as fast as events come. Label of a metric. */
export const SlowVerdict = {
  /** It is queued. */
  keep: "keep",
  /** It takes the place of what its topic had in the queue. */
  conflate: "conflate",
  /** The client is sent away. */
  disconnect: "disconnect",
} as const;
export type SlowVerdict = (typeof SlowVerdict)[keyof typeof SlowVerdict];

export interface SlowSituation {
  /** Whether the socket takes no more bytes. */
  readonly isBlocked: boolean;
  /** Bytes that wait for the client, the frame's not among them. */
  readonly queuedBytes: number;
  /** `limits.queueBytes`. */
  readonly queueBytesMax: number;
  /** `slowConsumer`. */
  readonly policy: "disconnect" | "conflate";
  /** Whether the frame's topic has a state, of which the newest is enough. */
  readonly hasState: boolean;
}

/**
 * The verdict on one frame. Pure. Only what waits behind a socket that takes nothing is ever conflated: a client that
 * keeps up gets every event. Topics without state are never thinned out: at the bound their client is sent away, to
 * resume from where it was.
 */
export function slowVerdict(situation: SlowSituation): SlowVerdict {
  const { isBlocked, queuedBytes, queueBytesMax, policy, hasState } = situation;
  if (!isBlocked) return SlowVerdict.keep;
  if (queuedBytes > queueBytesMax) return SlowVerdict.disconnect;
  return policy === "conflate" && hasState ? SlowVerdict.conflate : SlowVerdict.keep;
}
