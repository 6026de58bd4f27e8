import { formatElapsed, formatValue } from "../report/scale.ts";
import type { Histogram } from "./histogram.ts";
import type { LoadPlan } from "./plan.ts";

/** What a load found. This is what `--json` prints. Times are in milliseconds. */
export interface LoadReport {
  readonly ok: boolean;
  /** Why it is not ok; empty when it is. */
  readonly faults: readonly string[];
  readonly interrupted: boolean;
  readonly url: string;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly plan: LoadPlan;
  readonly phasesMs: { readonly open: number; readonly hold: number; readonly settle: number };
  readonly connections: {
    readonly wanted: number;
    /** Whether each was ready or had failed before events flowed; false: the run was interrupted before. */
    readonly allOpened: boolean;
    /** Held when the run ended. */
    readonly held: number;
    readonly opened: number;
    readonly churned: number;
    readonly failed: Counts;
    readonly ended: Counts;
    readonly slowEnded: Counts;
  };
  readonly connectMs: Summary;
  readonly signInMs: Summary;
  readonly latencyMs: Summary;
  readonly published: {
    /** Events whose time came while events flowed: `sent`, and those that the target had left no room for. */
    readonly due: number;
    readonly unsent: number;
    readonly sent: number;
    readonly accepted: number;
    /** By HTTP status, or by why else. */
    readonly refused: Counts;
    /** How late events were sent; for those that never were, how late they were when it was given up. */
    readonly lagMs: Summary;
    readonly answerMs: Summary;
  };
  readonly deliveries: {
    readonly count: number;
    /** Null: not known, since more events were refused than are kept by number. */
    readonly lost: number | null;
    readonly doubled: number;
    readonly disordered: number;
    readonly gapsTold: number;
    readonly strays: number;
    /** Subscribers that had not got everything at the end. */
    readonly behind: number;
  };
  /** CPU of a delivery, publishing included, in microseconds; null where the server is not on this machine. */
  readonly cost: {
    readonly loadUs: number | null;
    readonly subscribersUs: number | null;
    readonly serverUs: number | null;
    /** The load's own, of the server's. */
    readonly ratio: number | null;
  };
  readonly server: {
    readonly pid: number | null;
    readonly memoryBytesAtStart: number | null;
    readonly memoryBytesOpened: number | null;
    /** Connections open when that was read. */
    readonly connectionsOpened: number;
    readonly memoryBytesMax: number | null;
  };
  readonly timeline: readonly Moment[];
}

export type Counts = Readonly<Record<string, number>>;

export interface Summary {
  readonly count: number;
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p90: number | null;
  readonly p99: number | null;
  readonly p999: number | null;
  readonly max: number | null;
}

/** What was so at one moment, and rates since the one before. */
export interface Moment {
  /** Since the start. */
  readonly atMs: number;
  readonly connections: number;
  readonly published: number;
  readonly publishedPerSecond: number;
  readonly deliveriesPerSecond: number;
  readonly latencyP50Ms: number | null;
  readonly latencyP99Ms: number | null;
  readonly latencyMaxMs: number | null;
  /** Of one core. */
  readonly serverCpuPercent: number | null;
  readonly loadCpuPercent: number;
  readonly serverMemoryBytes: number | null;
}

/** @param histogram in microseconds */
export function summaryOf(histogram: Histogram): Summary {
  const ms = (us: number | null): number | null => (us === null ? null : us / 1000);
  return {
    count: histogram.count,
    mean: ms(histogram.mean),
    p50: ms(histogram.percentile(50)),
    p90: ms(histogram.percentile(90)),
    p99: ms(histogram.percentile(99)),
    p999: ms(histogram.percentile(99.9)),
    max: histogram.count === 0 ? null : ms(histogram.max),
  };
}

/** The report for a terminal. */
export function reportText(report: LoadReport): string {
  const { connections, deliveries, published, cost, server, phasesMs } = report;
  const rows: (readonly [string, string])[] = [
    [
      "connections",
      `${connections.held} held of ${connections.wanted}, opened in ${formatElapsed(phasesMs.open)}, ${connections.churned} churned`,
    ],
    ...countsRows("failed", connections.failed),
    ...countsRows("ended", connections.ended),
    ...countsRows("slow, ended", connections.slowEnded),
    ["connect", summaryText(report.connectMs)],
    ["sign-in", summaryText(report.signInMs)],
    [
      "published",
      `${published.accepted} of ${published.sent} accepted in ${formatElapsed(phasesMs.hold)}${published.unsent === 0 ? "" : `; ${published.unsent} more were due, and never sent`}`,
    ],
    ...countsRows("refused", published.refused),
    ["sent late by", summaryText(published.lagMs)],
    [
      "deliveries",
      `${deliveries.count}: ${lostText(deliveries.lost)} lost, ${deliveries.doubled} doubled, ${deliveries.disordered} out of order, ${deliveries.gapsTold} gaps told`,
    ],
    [
      "latency",
      `${summaryText(report.latencyMs)}${published.unsent === 0 ? "" : "; without what was never sent"}`,
    ],
    ["CPU a delivery", costText(cost)],
    ["server memory", memoryText(server)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const verdict = report.ok
    ? report.interrupted
      ? "Nothing was wrong until then."
      : "All is well."
    : `Failed: ${report.faults.join("; ")}.`;
  const stopped = report.interrupted ? "Interrupted: this is what was seen until then.\n" : "";
  return `${rows.map(([name, text]) => `${name.padEnd(width)}  ${text}\n`).join("")}\n${stopped}${verdict}\n`;
}

export function costText({ loadUs, subscribersUs, serverUs, ratio }: LoadReport["cost"]): string {
  if (loadUs === null || subscribersUs === null) return "no deliveries";
  const own = `this load ${loadUs.toFixed(1)} µs (its subscribers ${subscribersUs.toFixed(1)} µs)`;
  return serverUs === null || ratio === null
    ? `${own}; the server's is not known`
    : `server ${serverUs.toFixed(1)} µs, ${own}: ratio ${ratio.toFixed(2)}`;
}

export function lostText(lost: number | null): string {
  return lost === null ? "not known how many" : String(lost);
}

export function memoryText(server: LoadReport["server"]): string {
  const { pid, memoryBytesAtStart: start, memoryBytesOpened: opened, memoryBytesMax: most } = server;
  const count = server.connectionsOpened;
  if (pid === null || start === null || opened === null || most === null) return "not known";
  const each = count === 0 ? "" : `, ${formatValue((opened - start) / count, "bytes")} a connection`;
  return `${formatValue(start, "bytes")} at the start, ${formatValue(opened, "bytes")} with ${count} connected${each}, at most ${formatValue(most, "bytes")} (process ${pid})`;
}

function summaryText({ p50, p90, p99, p999, max }: Summary): string {
  if (p50 === null || p90 === null || p99 === null || p999 === null || max === null)
    return "nothing measured";
  const parts = { p50, p90, p99, "p99.9": p999, max };
  return Object.entries(parts)
    .map(([name, ms]) => `${name} ${formatValue(ms, "ms")}`)
    .join(", ");
}

function countsRows(name: string, counts: Counts): (readonly [string, string])[] {
  const entries = Object.entries(counts).toSorted(([, a], [, b]) => b - a);
  return entries.length === 0
    ? []
    : [[name, entries.map(([why, count]) => `${count} × ${why}`).join(", ")] as const];
}
