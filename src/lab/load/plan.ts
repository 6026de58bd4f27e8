import { CodedError } from "#base/errors.ts";
import { formatDurationMs } from "#base/units.ts";
import { PAYLOAD_BYTES_MIN } from "./stamp.ts";
import { isLoopback, type ServerKind } from "./target.ts";

/** What a load is: plain data, checked by `checkPlan`. */
export interface LoadPlan {
  readonly server: ServerKind;
  /** Subscribers of each transport. */
  readonly sse: number;
  readonly websocket: number;
  /** Connections opened a second, all workers together. */
  readonly opensPerSecond: number;
  readonly topics: number;
  /** Topics that each subscriber follows, next to each other in a ring of all. */
  readonly subscriptions: number;
  readonly publishers: number;
  /** Events published a second, all publishers together; null: as fast as they are taken. 0: none. */
  readonly eventsPerSecond: number | null;
  /** Events that are due at once. */
  readonly burst: number;
  readonly payloadBytes: number;
  /** Requests of one publisher under way at once, on one connection. */
  readonly pipeline: number;
  /** How long connections are held and events flow, in milliseconds. */
  readonly durationMs: number;
  /** How long the last events may take to arrive, in milliseconds. */
  readonly settleMs: number;
  /** Connections closed and opened again a second. */
  readonly churnPerSecond: number;
  /** Whether connections that churn go on from where they were. */
  readonly resumes: boolean;
  /** Subscribers that read slowly, among all. */
  readonly slow: number;
  readonly slowBytesPerSecond: number;
  /** Longest a connection may take to be ready, in milliseconds. */
  readonly connectTimeoutMs: number;
  readonly workers: number;
}

export class LoadUsageError extends CodedError<"bad_plan" | "off_loopback" | "no_gateway"> {}

/** Bounds of a plan, by the flag that sets each, with smallest and largest value. Whatever was asked, a run ends by itself. */
const PLAN_BOUNDS = {
  sse: ["--sse", 0, 200_000],
  websocket: ["--websocket", 0, 200_000],
  opensPerSecond: ["--rate", 1, 20_000],
  topics: ["--topics", 1, 100_000],
  subscriptions: ["--subscriptions", 1, 500],
  publishers: ["--publishers", 1, 256],
  eventsPerSecond: ["--events", 0, 1_000_000],
  burst: ["--burst", 1, 10_000],
  payloadBytes: ["--payload", PAYLOAD_BYTES_MIN, 1_048_576],
  pipeline: ["--pipeline", 1, 64],
  durationMs: ["--duration", 100, 86_400_000],
  settleMs: ["--settle", 100, 300_000],
  churnPerSecond: ["--churn", 0, 10_000],
  slow: ["--slow", 0, 200_000],
  slowBytesPerSecond: ["--slow-rate", 1, 1_000_000],
  connectTimeoutMs: ["--timeout", 100, 300_000],
  workers: ["--workers", 1, 64],
} as const satisfies Partial<Record<keyof LoadPlan, readonly [string, number, number]>>;

/** Places of the ledger: what each subscriber expects of each publisher and topic takes four bytes. */
const PLACES_MAX = 50_000_000;

/**
 * Whether a plan can be run, all its faults told at once.
 *
 * @throws LoadUsageError
 */
export function checkPlan(plan: LoadPlan): void {
  const faults = Object.entries(PLAN_BOUNDS).flatMap(([name, [flag, least, most]]) => {
    const value = plan[name as keyof typeof PLAN_BOUNDS];
    return value === null || (Number.isFinite(value) && value >= least && value <= most)
      ? []
      : [`${flag} must be from ${shown(name, least)} to ${shown(name, most)}, and is ${shown(name, value)}`];
  });
  const subscribers = plan.sse + plan.websocket;
  if (subscribers === 0) faults.push("there must be a subscriber: --sse or --websocket");
  if (plan.subscriptions > plan.topics)
    faults.push(
      `a subscriber can't follow ${plan.subscriptions} of ${plan.topics} topics: --subscriptions, --topics`,
    );
  if (plan.slow > subscribers)
    faults.push(`there are no ${plan.slow} subscribers that could be slow: --slow`);
  if (subscribers * plan.subscriptions * plan.publishers > PLACES_MAX)
    faults.push(`subscribers × --subscriptions × --publishers must be at most ${PLACES_MAX}`);
  if (plan.server === "centrifugo" && plan.sse > 0) faults.push("centrifugo speaks no Mercure: say --sse 0");
  if (plan.server === "mercure" && plan.websocket > 0)
    faults.push("a Mercure hub speaks no WebSocket: say --websocket 0");
  if (faults.length > 0) throw new LoadUsageError("bad_plan", faults.join("; "));
}

/** A value as its flag takes it. */
function shown(name: string, value: number): string {
  return name.endsWith("Ms") && Number.isFinite(value) ? formatDurationMs(value) : String(value);
}

/**
 * Whether the load may go to a host: to this machine always, elsewhere on the user's word.
 *
 * @throws LoadUsageError
 */
export function checkHost(host: string, isOwn: boolean): void {
  if (isOwn || isLoopback(host)) return;
  throw new LoadUsageError(
    "off_loopback",
    `${host} is not this machine: a load test of a host that is not yours is an attack. If it is yours, say --i-own-this-host`,
  );
}
