import { readFileSync, writeFileSync } from "node:fs";
import { METRIC_GROUPS, METRIC_PREFIX, type MetricDefinition } from "#ops/metric-definitions.ts";

/** Where the generated page stands. */
export const METRICS_DOCS = new URL("../docs/metrics.md", import.meta.url);

/** docs/metrics.md, made of the definitions. `node --conditions=streamkeeper-source tools/metrics-docs.ts` writes it. */
export function metricsDocs(): string {
  const groups = METRIC_GROUPS.map(({ title, metrics }) => [`## ${title}`, "", ...table(metrics)].join("\n"));
  return `${[INTRODUCTION, ...groups, PROCESS].join("\n\n")}\n`;
}

const INTRODUCTION = `# Metrics

<!-- Written by tools/metrics-docs.ts from src/ops/metric-definitions.ts; edit those. -->

\`GET /metrics\` answers in Prometheus's text format 0.0.4. It is shown to direct loopback peers (a loopback socket, a
loopback \`Host\`, no header of a proxy) and to access tokens of administrators; to everybody with
\`listen.metrics: public\`. No label has values that a client chooses: transports, reasons, codes and states are closed
lists, feeds are the configuration's. Counters are since the start of the process; only those with the label \`feed\` begin
anew when a reload changes their feed.`;

const PROCESS = `## The process

The metrics of prom-client with their usual names: \`process_cpu_*\`, \`process_resident_memory_bytes\`,
\`process_open_fds\`, \`process_max_fds\`, \`process_start_time_seconds\`, \`nodejs_eventloop_lag_*\`, \`nodejs_heap_*\`,
\`nodejs_gc_duration_seconds\`, \`nodejs_active_resources\`, \`nodejs_version_info\`. Compare
\`process_resident_memory_bytes\` with \`${METRIC_PREFIX}memory_limit_bytes\`, and \`process_open_fds\` with
\`process_max_fds\`.`;

function table(metrics: readonly MetricDefinition[]): string[] {
  return [
    "| metric | type | labels | unit | meaning |",
    "| --- | --- | --- | --- | --- |",
    ...metrics.map(
      ({ name, type, labels, unit, meaning }) =>
        `| \`${METRIC_PREFIX}${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ") || "–"} | ${unit} | ${meaning} |`,
    ),
  ];
}

if (import.meta.main) {
  const docs = metricsDocs();
  const stale = (() => {
    try {
      return readFileSync(METRICS_DOCS, "utf8") !== docs;
    } catch {
      return true;
    }
  })();
  if (stale) writeFileSync(METRICS_DOCS, docs);
  console.log(stale ? "docs/metrics.md written" : "docs/metrics.md is up to date");
}
