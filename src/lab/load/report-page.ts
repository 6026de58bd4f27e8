import { htmlPage } from "../report/html.ts";
import type { Plot, Point } from "../report/plot.ts";
import type { Tick } from "../report/scale.ts";
import type { Histogram } from "./histogram.ts";
import {
  type Counts,
  costText,
  type LoadReport,
  lostText,
  type Moment,
  memoryText,
  type Summary,
} from "./report.ts";

/** The report as a self-contained page. @param latencyUs all deliveries' latency */
export function reportPage(report: LoadReport, latencyUs: Histogram): string {
  const { plan, connections, deliveries, published, cost, server } = report;
  return htmlPage({
    title: `Load of ${report.url}`,
    verdict: {
      ok: report.ok,
      text: report.ok
        ? `${report.interrupted ? "Interrupted. Until then n" : "N"}othing was lost, doubled or out of order.`
        : report.faults.join("; "),
    },
    facts: [
      ["started", report.startedAt],
      ["subscribers", `${plan.sse} SSE, ${plan.websocket} WebSocket, ${plan.slow} of them slow`],
      [
        "events",
        `${plan.eventsPerSecond ?? "as many as are taken"} a second of ${plan.payloadBytes} bytes, by ${plan.publishers} publishers, on ${plan.topics} topics`,
      ],
      ["churn", `${plan.churnPerSecond} a second${plan.resumes ? ", resuming" : ""}`],
      ["CPU a delivery", costText(cost)],
      ["server memory", memoryText(server)],
      ...(report.interrupted ? ([["interrupted", "yes"]] as const) : []),
    ],
    sections: [
      {
        heading: "Over time",
        parts: timePlots(report.timeline).map((plot) => ({ kind: "plot" as const, plot })),
      },
      {
        heading: "Latency of deliveries",
        parts: [
          {
            kind: "text",
            text: "From when an event was due to be sent to when a subscriber had it, so that a server that holds publishers up does not look quick by it.",
          },
          { kind: "plot", plot: percentilePlot(latencyUs) },
        ],
      },
      {
        heading: "Times, in milliseconds",
        parts: [
          {
            kind: "table",
            columns: ["what", "count", "mean", "p50", "p90", "p99", "p99.9", "max"],
            rows: [
              summaryRow("connect", report.connectMs),
              summaryRow("sign in and subscribe", report.signInMs),
              summaryRow("delivery", report.latencyMs),
              summaryRow("publish, to the answer", published.answerMs),
              summaryRow("events sent late by", published.lagMs),
            ],
          },
        ],
      },
      {
        heading: "Counts",
        parts: [
          {
            kind: "table",
            columns: ["what", "count"],
            rows: [
              ["connections wanted", connections.wanted],
              ["held at the end", connections.held],
              ["churned", connections.churned],
              ...countRows("failed", connections.failed),
              ...countRows("ended by the server", connections.ended),
              ...countRows("slow, ended by the server", connections.slowEnded),
              ["events due", published.due],
              ["never sent", published.unsent],
              ["sent", published.sent],
              ["accepted", published.accepted],
              ...countRows("refused", published.refused),
              ["deliveries", deliveries.count],
              ["lost", deliveries.lost ?? lostText(null)],
              ["doubled", deliveries.doubled],
              ["out of order", deliveries.disordered],
              ["gaps told", deliveries.gapsTold],
              ["of topics not asked for", deliveries.strays],
            ],
          },
        ],
      },
    ],
  });
}

function timePlots(timeline: readonly Moment[]): Plot[] {
  const to = timeline.at(-1)?.atMs ?? 1;
  const points = (of: (moment: Moment) => number | null): Point[] =>
    timeline.map((moment) => [moment.atMs, of(moment)]);
  const shared = { from: 0, to };
  return [
    {
      ...shared,
      title: "Connections",
      unit: "count",
      series: [{ name: "held", points: points(({ connections }) => connections) }],
    },
    {
      ...shared,
      title: "Deliveries",
      unit: "perSecond",
      series: [{ name: "deliveries", points: points((moment) => moment.deliveriesPerSecond) }],
    },
    {
      ...shared,
      title: "Events published",
      unit: "perSecond",
      series: [{ name: "published", points: points((moment) => moment.publishedPerSecond) }],
    },
    {
      ...shared,
      title: "Latency",
      unit: "ms",
      log: true,
      series: [
        { name: "p50", points: points(({ latencyP50Ms }) => latencyP50Ms) },
        { name: "p99", points: points(({ latencyP99Ms }) => latencyP99Ms) },
        { name: "max", points: points(({ latencyMaxMs }) => latencyMaxMs) },
      ],
    },
    {
      ...shared,
      title: "CPU, of one core",
      unit: "percent",
      series: [
        { name: "server", points: points(({ serverCpuPercent }) => serverCpuPercent) },
        { name: "this load", points: points(({ loadCpuPercent }) => loadCpuPercent) },
      ],
    },
    {
      ...shared,
      title: "Memory of the server",
      unit: "bytes",
      series: [{ name: "resident", points: points(({ serverMemoryBytes }) => serverMemoryBytes) }],
    },
  ];
}

/** Percentiles against how few are slower, as HDR plots have it: each step to the right is a tenth of them. */
function percentilePlot(latencyUs: Histogram): Plot {
  const decades = Math.max(1, Math.ceil(Math.log10(Math.max(10, latencyUs.count))));
  const steps = Array.from({ length: decades * 20 + 1 }, (_, index) => index / 20);
  const ticks: Tick[] = Array.from({ length: decades + 1 }, (_, at) => ({
    at,
    text: at === 0 ? "0 %" : `${(100 - 100 / 10 ** at).toFixed(Math.max(0, at - 2))} %`,
  }));
  return {
    title: "Latency by percentile",
    unit: "ms",
    log: true,
    xAxis: { name: "percentile", ticks },
    series: [
      {
        name: "delivery",
        points: steps.map((at) => [at, (latencyUs.percentile(100 - 100 / 10 ** at) ?? 0) / 1000]),
      },
    ],
  };
}

function summaryRow(name: string, { count, mean, p50, p90, p99, p999, max }: Summary): (string | number)[] {
  return [name, count, ...[mean, p50, p90, p99, p999, max].map((ms) => ms ?? "–")];
}

function countRows(what: string, counts: Counts): (readonly [string, number])[] {
  return Object.entries(counts).map(([why, count]) => [`${what}: ${why}`, count]);
}
