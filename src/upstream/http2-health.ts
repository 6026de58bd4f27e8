/** How the health of an HTTP/2 session is looked after. Milliseconds. */
export interface SessionPace {
  /** Silence after which it is asked whether it still lives. */
  readonly pingAfterMs: number;
  /** How long the answer may take. */
  readonly pingTimeoutMs: number;
  /** How long it is kept without a stream. */
  readonly lingerMs: number;
}

/** Times are monotonic milliseconds. */
export interface SessionHealth {
  readonly streams: number;
  /** When its last stream left; its opening, before the first came. */
  readonly emptySinceMs: number;
  /** When a body's bytes or a PING's answer last came; its opening, before the first. */
  readonly heardAtMs: number;
  /** When the PING that has no answer yet was sent; null: none is out. */
  readonly pingedAtMs: number | null;
}

export type SessionVerdict =
  | { readonly do: "wait"; readonly atMs: number }
  | { readonly do: "ping" }
  /** Nobody needs it any more. */
  | { readonly do: "leave" }
  /** The peer, or the way to it, is gone. */
  | { readonly do: "give up" };

/** A session's pace for a feed whose links may be silent for `idleTimeoutMs`: it is found dead before they are. */
export function sessionPace(idleTimeoutMs: number): SessionPace {
  const thirdMs = idleTimeoutMs / 3;
  return { pingAfterMs: thirdMs, pingTimeoutMs: Math.min(10_000, thirdMs), lingerMs: 5000 };
}

/** What to do about a session now. Pure; asked again when the time that it names has come. */
export function checkSession(health: SessionHealth, pace: SessionPace, nowMs: number): SessionVerdict {
  if (health.streams === 0) {
    const leaveAtMs = health.emptySinceMs + pace.lingerMs;
    return nowMs >= leaveAtMs ? { do: "leave" } : { do: "wait", atMs: leaveAtMs };
  }
  if (health.pingedAtMs !== null) {
    // Bytes are an answer, too: on a slow line, a PING's may stand behind many of them.
    const deadlineMs = Math.max(health.pingedAtMs, health.heardAtMs) + pace.pingTimeoutMs;
    return nowMs >= deadlineMs ? { do: "give up" } : { do: "wait", atMs: deadlineMs };
  }
  const pingAtMs = health.heardAtMs + pace.pingAfterMs;
  return nowMs >= pingAtMs ? { do: "ping" } : { do: "wait", atMs: pingAtMs };
}
