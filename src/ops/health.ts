/** What readiness depends on, as the composition root sees it at the moment of the question. */
export interface ReadinessState {
  readonly draining: boolean;
  /** Whether the listener accepts connections. */
  readonly listening: boolean;
  /** Whether memory is so short that nobody new is let in. */
  readonly memoryShort: boolean;
  /** What is wrong with the database; null: it answers. */
  readonly databaseFault: string | null;
  /** Whether the log can't be written to its disk. */
  readonly logUnwritten: boolean;
  /** Feeds with the number of their links that were rejected: wrong credentials, URL or content type. */
  readonly feeds: Iterable<{ readonly name: string; readonly linksRejected: number }>;
}

/** Why the gateway is not ready, or what an operator should look at though it is. A closed list. */
export const ReadinessCode = {
  draining: "draining",
  not_listening: "not_listening",
  memory_short: "memory_short",
  database: "database",
  log_unwritten: "log_unwritten",
  feed_rejected: "feed_rejected",
} as const;
export type ReadinessCode = (typeof ReadinessCode)[keyof typeof ReadinessCode];

export interface ReadinessReason {
  readonly code: ReadinessCode;
  /** A warning leaves the gateway ready: taking it out of rotation would help nobody. */
  readonly severity: "failure" | "warning";
  readonly message: string;
}

export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly ReadinessReason[];
}

/** Whether new clients should be sent here, and why not. Pure. */
export function readiness(state: ReadinessState): Readiness {
  const reasons: ReadinessReason[] = [];
  const fail = (code: ReadinessCode, message: string) => reasons.push({ code, severity: "failure", message });
  if (state.draining) fail(ReadinessCode.draining, "the gateway drains: it is about to stop");
  if (!state.listening) fail(ReadinessCode.not_listening, "the listener does not accept connections");
  if (state.memoryShort)
    fail(ReadinessCode.memory_short, "memory is near limits.memory: nobody new is let in");
  if (state.databaseFault !== null)
    fail(ReadinessCode.database, `the database does not answer: ${state.databaseFault}`);
  if (state.logUnwritten) {
    reasons.push({
      code: ReadinessCode.log_unwritten,
      severity: "warning",
      message: "the log is not written to log.persist: a crash would lose it; look at the disk",
    });
  }
  for (const { name, linksRejected } of state.feeds) {
    if (linksRejected === 0) continue;
    reasons.push({
      code: ReadinessCode.feed_rejected,
      severity: "warning",
      message: `feed ${name} rejects ${linksRejected} ${linksRejected === 1 ? "link" : "links"}: check its url, headers and credentials`,
    });
  }
  return { ready: reasons.every(({ severity }) => severity === "warning"), reasons };
}
