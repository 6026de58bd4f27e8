import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";

/** The steps of the connection test, in their order. */
export const CheckStep = {
  dns: "dns",
  tcp: "tcp",
  tls: "tls",
  http: "http",
  signIn: "sign-in",
  sse: "sse",
  websocket: "websocket",
  subscribe: "subscribe",
  firstEvent: "first event",
  resumeSse: "resume sse",
  resumeWebsocket: "resume websocket",
} as const;
export type CheckStep = (typeof CheckStep)[keyof typeof CheckStep];

export interface StepReport {
  readonly name: CheckStep;
  readonly outcome: "ok" | "failed" | "skipped";
  /** Milliseconds it took; 0 when skipped. */
  readonly ms: number;
  /** What was found, why it failed, or why it was skipped. */
  readonly detail: string;
  /** What to do about it, or what to look at though it is well; null: nothing. */
  readonly advice: string | null;
}

/** What a step that went well has found. */
export interface Finding {
  readonly detail: string;
  readonly advice?: string;
}

/** A step's failure: why, and what to do. */
export class StepFailure extends Error {
  readonly advice: string;

  constructor(why: string, advice: string, options?: ErrorOptions) {
    super(why, options);
    this.name = "StepFailure";
    this.advice = advice;
  }
}

/** Thrown by a step that does not apply. */
export class StepSkipped extends Error {}

export interface StepPlan {
  readonly name: CheckStep;
  /** Steps without whose success this one makes no sense. */
  readonly needs: readonly CheckStep[];
  /** The signal aborts when the step's time is over. Whatever it opened must end then. */
  readonly run: (signal: AbortSignal) => Promise<Finding>;
}

/**
 * Runs steps one after another, each within its time. One that failed is followed by those that do not need it. A step
 * that was skipped because it does not apply counts as passed.
 */
export async function runSteps(
  plans: readonly StepPlan[],
  clock: Clock,
  timeoutMs: number,
  onStep: (report: StepReport) => void,
): Promise<StepReport[]> {
  const reports: StepReport[] = [];
  const unpassed = new Set<CheckStep>();
  for (const plan of plans) {
    const missing = plan.needs.find((name) => unpassed.has(name));
    const report =
      missing === undefined
        ? await runStep(plan, clock, timeoutMs)
        : skipped(plan.name, `not tried, since it needs ${missing}`);
    if (missing !== undefined || report.outcome === "failed") unpassed.add(plan.name);
    reports.push(report);
    onStep(report);
  }
  return reports;
}

async function runStep(plan: StepPlan, clock: Clock, timeoutMs: number): Promise<StepReport> {
  const startMs = clock.monotonicMs();
  const controller = new AbortController();
  using _deadline = clock.after(timeoutMs, () => controller.abort(timedOut(timeoutMs)));
  const took = () => Math.round(clock.monotonicMs() - startMs);
  try {
    const { detail, advice } = await plan.run(controller.signal);
    return { name: plan.name, outcome: "ok", ms: took(), detail, advice: advice ?? null };
  } catch (thrown) {
    if (thrown instanceof StepSkipped) return skipped(plan.name, thrown.message);
    const advice = thrown instanceof StepFailure ? thrown.advice : null;
    return { name: plan.name, outcome: "failed", ms: took(), detail: messageOf(thrown), advice };
  }
}

/** The failure of a step whose time is over; a step that knows better throws its own. */
function timedOut(timeoutMs: number): StepFailure {
  return new StepFailure(
    `no answer within ${timeoutMs / 1000} s`,
    "Look for a firewall or a proxy that holds the connection; give --timeout if the way is slow.",
  );
}

function skipped(name: CheckStep, why: string): StepReport {
  return { name, outcome: "skipped", ms: 0, detail: why, advice: null };
}

/** A promise that settles with the signal's reason when it aborts first. */
export async function within<Value>(signal: AbortSignal, work: Promise<Value>): Promise<Value> {
  signal.throwIfAborted();
  let abort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
