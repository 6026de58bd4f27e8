import assert from "node:assert/strict";
import { test } from "node:test";
import { Histogram, Tally } from "#base/counters.ts";
import { METRIC_GROUPS } from "./metric-definitions.ts";
import { GatewayMetrics } from "./metrics.ts";
import type { GatewayViews, LinkView } from "./views.ts";

function rooms() {
  const downstream = {
    opened: new Tally(),
    closed: new Tally(),
    durationS: { sse: new Histogram([1, 60]), websocket: new Histogram([1, 60]) },
    deliveries: { sse: 0, websocket: 0 },
    slowConsumers: new Tally(),
    resumes: new Tally(),
    resets: new Tally(),
    sseDrops: new Tally(),
    errors: new Tally(),
    published: new Tally(),
  };
  const sums = () => ({
    events: 0,
    gaps: 0,
    resets: 0,
    reconnects: new Tally(),
    drops: new Tally(),
    faults: new Tally(),
  });
  const counters = { ...sums(), keysRefused: 0, keysRejected: 0 };
  const held = {
    downstream,
    feeds: [{ name: "quotes", counters, links: [] as LinkView[] }],
    past: sums(),
    open: { sse: 0, websocket: 0 },
    errors: new Tally(),
    authFailures: new Tally(),
    lag: new Histogram([0.001, 0.1]),
    memoryLimitBytes: null as number | null,
    certificateExpiresAtMs: null as number | null,
    connectionsAsked: 0,
    logOnDisk: null as { bytes: number; behind: number } | null,
  };
  const views: GatewayViews = {
    downstream,
    connections: () => {
      held.connectionsAsked++;
      return { open: held.open, subscribers: { sse: 1, websocket: 2 }, queuedBytes: 77, limit: 99 };
    },
    feeds: () => held.feeds.map((feed) => ({ ...feed, stats: () => ({ ...KEYS, links: feed.links }) })),
    pastFeeds: () => held.past,
    hub: () => ({ topics: 5, logBytes: 1024 }),
    deliveryLagS: held.lag,
    authFailures: held.authFailures,
    errors: held.errors,
    sweepReclaimed: new Map([["timer", 1]]),
    databaseConnections: () => ({ open: 1 }),
    memoryStep: () => 1,
    memoryMeasures: new Map([["close", 1]]),
    logOnDisk: () => held.logOnDisk,
    memoryLimitBytes: () => held.memoryLimitBytes,
    certificateExpiresAtMs: () => held.certificateExpiresAtMs,
  };
  return { held, counters, metrics: new GatewayMetrics(views) };
}

const KEYS = { keysWanted: 3, keysLingering: 2, keysQuarantined: 1 };

/** Series by their text, e.g. `streamkeeper_connections{transport="sse"}`. Fails on a line that the format does not know. */
async function scrape(metrics: GatewayMetrics): Promise<Map<string, number>> {
  const series = new Map<string, number>();
  for (const line of (await metrics.render()).split("\n")) {
    if (line === "" || /^# (HELP|TYPE) [a-z0-9_]+ ./.test(line)) continue;
    const parts = /^([a-z_:][a-z0-9_:]*(?:\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})?) (\S+)$/i.exec(line);
    assert.ok(parts, `not in the text format: ${line}`);
    assert.ok(!series.has(parts[1] as string), `twice: ${line}`);
    series.set(parts[1] as string, Number(parts[2]));
  }
  return series;
}

/** product.md, "Metrics": the contract. */
const CONTRACT =
  `connections{transport} connections_limit connection_duration_seconds{transport} connections_opened_total
  connections_closed_total{transport,reason} links{feed,state} link_age_seconds link_reconnects_total{feed,reason}
  feed_events_total{feed} feed_gaps_total{feed} feed_keys{feed,state} feed_keys_refused_total{feed,by} subscribers{transport} topics log_bytes queue_bytes memory_limit_bytes memory_step memory_measures_total{measure}
  database_connections{state} sweep_reclaimed_total{kind} connection_resets_total{side} auth_failures_total{method,reason}
  sse_drops_total{side,reason} errors_total{room,code} events_published_total{source} deliveries_total{transport}
  delivery_lag_seconds slow_consumers_total{verdict} resumes_total{transport,outcome}
  tls_certificate_expiry_timestamp_seconds log_disk_bytes log_disk_behind_events`.split(/\s+/);

test("metrics: names and labels are exactly the contract's", () => {
  const defined = METRIC_GROUPS.flatMap(({ metrics }) => metrics).map(({ name, labels }) =>
    labels.length === 0 ? name : `${name}{${labels.join(",")}}`,
  );
  assert.deepEqual(defined.toSorted(), CONTRACT.toSorted());
});

test("metrics: counters end in _total, others do not, and every one has a unit and a meaning", () => {
  for (const { name, type, unit, meaning } of METRIC_GROUPS.flatMap(({ metrics }) => metrics)) {
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.ok(unit.length > 0 && meaning.endsWith("."), name);
  }
});

test("metrics: what the rooms have counted is read at the scrape, and again at the next one", async () => {
  const { held, counters, metrics } = rooms();
  held.open.sse = 3;
  held.downstream.opened.add("sse", 5);
  held.downstream.opened.add("websocket", 2);
  held.downstream.closed.add("sse:connection_reset", 4);
  held.downstream.resets.add("downstream", 4);
  held.downstream.published.add("mercure", 9);
  held.downstream.sseDrops.add("slow_consumer");
  held.authFailures.add("password:wrong_credentials", 6);
  counters.events = 100;
  counters.resets = 2;
  counters.reconnects.add("reset", 2);
  counters.drops.add("reset");
  counters.drops.add("unwanted", 3);
  held.feeds[0]?.links.push(
    { state: "open", ageMs: 5000 },
    { state: "open", ageMs: 90_000 },
    { state: "waiting", ageMs: null },
  );
  const first = await scrape(metrics);
  const expected = {
    'connections{transport="sse"}': 3,
    connections_opened_total: 7,
    'connections_closed_total{transport="sse",reason="connection_reset"}': 4,
    'connection_resets_total{side="downstream"}': 4,
    'connection_resets_total{side="upstream"}': 2,
    'links{feed="quotes",state="open"}': 2,
    'links{feed="quotes",state="waiting"}': 1,
    'link_age_seconds_bucket{le="10"}': 1,
    link_age_seconds_sum: 95,
    link_age_seconds_count: 2,
    'link_reconnects_total{feed="quotes",reason="reset"}': 2,
    'feed_events_total{feed="quotes"}': 100,
    'events_published_total{source="feed"}': 100,
    'events_published_total{source="mercure"}': 9,
    'sse_drops_total{side="downstream",reason="slow_consumer"}': 1,
    'sse_drops_total{side="upstream",reason="reset"}': 1,
    'auth_failures_total{method="password",reason="wrong_credentials"}': 6,
    'sweep_reclaimed_total{kind="timer"}': 1,
    'database_connections{state="open"}': 1,
    log_bytes: 1024,
    queue_bytes: 77,
    topics: 5,
  };
  for (const [name, value] of Object.entries(expected))
    assert.equal(first.get(`streamkeeper_${name}`), value, name);
  assert.equal(
    first.has('streamkeeper_sse_drops_total{side="upstream",reason="unwanted"}'),
    false,
    "our own end",
  );
  held.downstream.opened.add("sse");
  assert.equal((await scrape(metrics)).get("streamkeeper_connections_opened_total"), 8);
});

test("metrics: a histogram of ours becomes a cumulative one, with +Inf equal to the count", async () => {
  const { held, metrics } = rooms();
  for (const lag of [0.0005, 0.001, 0.05, 3]) held.lag.observe(lag);
  held.downstream.durationS.sse.observe(61);
  const series = await scrape(metrics);
  assert.equal(series.get('streamkeeper_delivery_lag_seconds_bucket{le="0.001"}'), 2);
  assert.equal(series.get('streamkeeper_delivery_lag_seconds_bucket{le="0.1"}'), 3);
  assert.equal(series.get('streamkeeper_delivery_lag_seconds_bucket{le="+Inf"}'), 4);
  assert.equal(series.get("streamkeeper_delivery_lag_seconds_count"), 4);
  assert.equal(series.get('streamkeeper_connection_duration_seconds_bucket{transport="sse",le="60"}'), 0);
  assert.equal(series.get('streamkeeper_connection_duration_seconds_count{transport="sse"}'), 1);
});

test("metrics: errors of the journal, of downstream and of all feeds add up by room and code", async () => {
  const { held, counters, metrics } = rooms();
  held.errors.add("storage:SQLITE_BUSY", 2);
  held.errors.add("upstream:not_json", 1);
  held.downstream.errors.add("bad_request", 3);
  counters.faults.add("not_json", 10);
  const series = await scrape(metrics);
  assert.equal(series.get('streamkeeper_errors_total{room="storage",code="SQLITE_BUSY"}'), 2);
  assert.equal(series.get('streamkeeper_errors_total{room="downstream",code="bad_request"}'), 3);
  assert.equal(series.get('streamkeeper_errors_total{room="upstream",code="not_json"}'), 11);
});

test("metrics: a sum over feeds holds what those counted that are gone; a feed's own series are its own", async () => {
  const { held, counters, metrics } = rooms();
  for (const [each, by] of [
    [counters, 1],
    [held.past, 100],
  ] as const) {
    each.events += by;
    each.resets += by;
    each.drops.add("reset", by);
    each.drops.add("replaced", by);
    each.faults.add("not_json", by);
    each.reconnects.add("reset", by);
  }
  const series = await scrape(metrics);
  for (const name of [
    'events_published_total{source="feed"}',
    'connection_resets_total{side="upstream"}',
    'sse_drops_total{side="upstream",reason="reset"}',
    'errors_total{room="upstream",code="not_json"}',
  ])
    assert.equal(series.get(`streamkeeper_${name}`), 101, name);
  assert.equal(series.has('streamkeeper_sse_drops_total{side="upstream",reason="replaced"}'), false);
  assert.equal(series.get('streamkeeper_feed_events_total{feed="quotes"}'), 1);
  assert.equal(series.get('streamkeeper_link_reconnects_total{feed="quotes",reason="reset"}'), 1);
});

test("metrics: a limit, a certificate or a log on disk that is not there has no series, rather than a zero that alarms", async () => {
  const { held, metrics } = rooms();
  const without = await scrape(metrics);
  assert.equal(without.has("streamkeeper_memory_limit_bytes"), false);
  assert.equal(without.has("streamkeeper_tls_certificate_expiry_timestamp_seconds"), false);
  assert.equal(without.has("streamkeeper_log_disk_bytes"), false);
  assert.equal(without.has("streamkeeper_log_disk_behind_events"), false);
  held.logOnDisk = { bytes: 2 ** 20, behind: 3 };
  held.memoryLimitBytes = 2 ** 30;
  held.certificateExpiresAtMs = 1_900_000_000_500;
  const series = await scrape(metrics);
  assert.equal(series.get("streamkeeper_memory_limit_bytes"), 2 ** 30);
  assert.equal(series.get("streamkeeper_log_disk_bytes"), 2 ** 20);
  assert.equal(series.get("streamkeeper_log_disk_behind_events"), 3);
  assert.equal(series.get("streamkeeper_tls_certificate_expiry_timestamp_seconds"), 1_900_000_000);
});

test("metrics: costly views are asked once a scrape, and not between", async () => {
  const { held, metrics } = rooms();
  assert.equal(held.connectionsAsked, 0);
  await metrics.render();
  assert.equal(held.connectionsAsked, 1);
});

test("metrics: two gateways in one process keep their numbers apart and share the process's", async () => {
  const one = rooms();
  const two = rooms();
  one.held.downstream.opened.add("sse");
  const [first, second] = [await scrape(one.metrics), await scrape(two.metrics)];
  assert.equal(first.get("streamkeeper_connections_opened_total"), 1);
  assert.equal(second.get("streamkeeper_connections_opened_total"), 0);
  for (const name of ["process_resident_memory_bytes", "nodejs_eventloop_lag_p99_seconds"]) {
    assert.ok((second.get(name) ?? -1) >= 0, name);
  }
});
