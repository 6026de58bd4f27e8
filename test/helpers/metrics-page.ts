import assert from "node:assert/strict";
import { METRIC_GROUPS, METRIC_PREFIX } from "#ops/metric-definitions.ts";

/** One answer of `/metrics`, read strictly: a line that the text format 0.0.4 does not know, or a sample twice, is a failure. */
export interface MetricsPage {
  readonly text: string;
  /** By name and labels as they stand there, such as `streamkeeper_connections{transport="sse"}`. */
  readonly samples: ReadonlyMap<string, number>;
}

/** Asks a gateway for its metrics, as from the machine itself. */
export async function scrape(gatewayUrl: string): Promise<MetricsPage> {
  const response = await fetch(`${gatewayUrl}/metrics`);
  assert.equal(response.status, 200);
  return metricsPage(await response.text());
}

function metricsPage(text: string): MetricsPage {
  const samples = new Map<string, number>();
  for (const line of text.split("\n")) {
    if (line === "" || /^# (HELP|TYPE) [a-z0-9_]+ ./.test(line)) continue;
    const parts = /^([a-z_][a-z0-9_]*(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})?) (\S+)$/i.exec(line);
    assert.ok(parts, `not in the text format: ${line}`);
    const [, series = "", value = ""] = parts;
    assert.ok(!samples.has(series), `twice: ${line}`);
    samples.set(series, value === "+Inf" ? Number.POSITIVE_INFINITY : Number(value));
  }
  return { text, samples };
}

/** A sample's sum over its labels. */
export function sumOf({ samples }: MetricsPage, name: string, label = ""): number {
  let sum = 0;
  for (const [series, value] of samples)
    if (series.split("{", 1)[0] === name && series.includes(label)) sum += value;
  return sum;
}

/** What a sample that no exact number can be given for must be. Answers whether it is. */
export type Measure = (value: number, series: string, page: MetricsPage) => boolean;

/**
 * Holds a page against what was done. Names are without the prefix. Each sample must be what `expected` says; of the
 * metrics there named, and of every other counter and gauge of the definitions, a sample that is not expected must be 0;
 * those in `measured` must pass. A sample of a name that nobody knows fails.
 */
export function assertPage(
  page: MetricsPage,
  expected: Readonly<Record<string, number>>,
  measured: Readonly<Record<string, Measure>>,
): void {
  const wrong: string[] = [];
  const defined = new Set(METRIC_GROUPS.flatMap(({ metrics }) => metrics.map(({ name }) => name)));
  for (const [series, value] of page.samples) {
    const name = series.split("{", 1)[0] as string;
    const own = name.startsWith(METRIC_PREFIX);
    const bare = own ? name.slice(METRIC_PREFIX.length) : name;
    const measure = measured[bare] ?? (own ? HISTOGRAM[/_(bucket|sum)$/.exec(bare)?.[1] ?? ""] : undefined);
    if (measure !== undefined) {
      if (!measure(value, series, page)) wrong.push(`${series} is ${value}, which can't be`);
    } else if (own && defined.has(bare.replace(/_count$/, ""))) {
      const wanted = expected[series.slice(METRIC_PREFIX.length)] ?? 0;
      if (value !== wanted) wrong.push(`${series} is ${value}, and should be ${wanted}`);
    } else if (!PROCESS.test(name)) wrong.push(`${series} is known to nobody`);
  }
  for (const [series, value] of Object.entries(expected)) {
    if (value !== 0 && !page.samples.has(METRIC_PREFIX + series))
      wrong.push(`${series} is missing, and should be ${value}`);
  }
  assert.deepEqual(wrong, []);
}

/** The process's own, as docs/metrics.md lists them. */
const PROCESS =
  /^(process_(cpu_|resident_memory_bytes|virtual_memory_bytes|heap_bytes|open_fds|max_fds|start_time_seconds)|nodejs_(eventloop_lag_|heap_|external_memory_bytes|gc_duration_seconds|active_resources|version_info))/;

/** Buckets never exceed the count, and the last one is it; a sum is nothing without observations. */
const HISTOGRAM: Readonly<Record<string, Measure>> = {
  bucket: (value, series, { samples }) => {
    const [, name, labels = "", bound] = /^(.*)_bucket\{(.*?),?le="([^"]+)"\}$/.exec(series) ?? [];
    const count = samples.get(`${name}_count${labels === "" ? "" : `{${labels}}`}`) ?? Number.NaN;
    return bound === "+Inf" ? value === count : value <= count;
  },
  sum: (value, series, { samples }) => {
    const count = samples.get(series.replace("_sum", "_count")) ?? Number.NaN;
    return count === 0 ? value === 0 : value >= 0;
  },
};
