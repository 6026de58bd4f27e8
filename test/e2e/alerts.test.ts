import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { parse } from "yaml";
import { METRIC_GROUPS, METRIC_PREFIX } from "#ops/metric-definitions.ts";
import { promtool, promtoolMissing, RULES } from "../helpers/alert-recorder.ts";
import { openGateway, signIn } from "../helpers/gateway.ts";
import { scrape } from "../helpers/metrics-page.ts";
import { blocksOf } from "../helpers/page-blocks.ts";
import { SseClient } from "../helpers/sse-client.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

const { groups } = parse(readFileSync(RULES, "utf8")) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

test("alerts: promtool accepts the rules", { skip: promtoolMissing }, () => {
  const { status, text } = promtool(["check", "rules", RULES]);
  assert.equal(status, 0, text);
  assert.match(text, new RegExp(`${rules.length} rules found`));
});

test("alerts: promtool accepts the configuration of Prometheus that docs/alerts.md shows", {
  skip: promtoolMissing,
}, () => {
  const block = blocksOf("docs/alerts.md").find(({ language }) => language === "yaml");
  assert.ok(block);
  const directory = mkdtempSync(join(tmpdir(), "streamkeeper-prometheus-"));
  try {
    const file = join(directory, "prometheus.yaml");
    writeFileSync(file, block.code);
    const { status, text } = promtool(["check", "config", "--syntax-only", file]);
    assert.equal(status, 0, text);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test("alerts: promtool accepts the metrics of a gateway that has served", {
  skip: promtoolMissing,
}, async () => {
  await using gateway = await openGateway();
  const token = await signIn(gateway);
  using _stream = await new SseClient(gateway.url, "match=/chat/1", { token }).opened();
  await assert.rejects(signIn(gateway, "ann", "wrong"));
  const { text } = await scrape(gateway.url);
  const checked = promtool(["check", "metrics"], text);
  // prom-client's own names, which it keeps for the sake of dashboards that exist.
  const faults = checked.text.split("\n").filter((line) => line !== "" && !line.startsWith("nodejs_"));
  assert.deepEqual(faults, []);
});

test("alerts: each says what is wrong, what it means and what to do, and stands in docs/alerts.md", () => {
  const page = readFileSync(new URL("../../docs/alerts.md", import.meta.url), "utf8");
  for (const { alert, annotations, labels } of rules) {
    assert.match(labels.severity, /^(critical|warning)$/, alert);
    for (const name of ["summary", "description", "action"])
      assert.ok((annotations[name] ?? "").length > 20, `${alert}: ${name}`);
    assert.match(page, new RegExp(`^\\| \`${alert}\` \\| ${labels.severity} \\|`, "m"), alert);
  }
  const told = [...page.matchAll(/^\| `(Streamkeeper\w+)`/gm)].map(([, name]) => name as string);
  assert.deepEqual(told.toSorted(), rules.map(({ alert }) => alert).toSorted());
});

test("alerts: every metric that a rule looks at is one of the gateway's", () => {
  const names = METRIC_GROUPS.flatMap(({ metrics }) => metrics.map(({ name }) => METRIC_PREFIX + name));
  for (const { alert, expr } of rules) {
    for (const [name] of expr.matchAll(/streamkeeper_\w+/g))
      assert.ok(names.includes(name.replace(/_bucket$/, "")), `${alert}: ${name}`);
  }
});

test("alerts: counts are there at zero before the first, which `increase` would not see else", async () => {
  await using gateway = await openGateway();
  const { text } = await scrape(gateway.url);
  for (const series of [
    'sweep_reclaimed_total{kind="subscriber"}',
    'slow_consumers_total{verdict="disconnect"}',
    'resumes_total{transport="websocket",outcome="unrecovered"}',
    'memory_measures_total{measure="shed"}',
    'connections_closed_total{transport="sse",reason="slow_consumer"}',
    'events_published_total{source="mercure"}',
  ])
    assert.ok(text.includes(`${METRIC_PREFIX}${series} 0\n`), series);
});
