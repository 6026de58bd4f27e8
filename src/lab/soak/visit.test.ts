import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { Metrics } from "./metrics-text.ts";
import { drawVisit } from "./visit.ts";

test("visits: every kind comes, most are short, few are silent, and both transports come alike", () => {
  const random = seededRandom(1);
  const visits = Array.from({ length: 20_000 }, () => drawVisit(random, ["A", "B"]));
  const share = (holds: (visit: (typeof visits)[number]) => boolean) =>
    visits.filter(holds).length / visits.length;
  assert.equal(new Set(visits.map(({ until }) => until)).size, 5);
  assert.ok(share(({ until }) => until === "let_in") > 0.55);
  const silent = share(({ until }) => until === "silent");
  assert.ok(silent > 0.002 && silent < 0.01, `${silent}`);
  assert.ok(Math.abs(share(({ transport }) => transport === "sse") - 0.5) < 0.02);
  assert.ok(share(({ returnsAfterMs }) => returnsAfterMs !== null) > 0.03);
  assert.ok(visits.every(({ until, returnsAfterMs }) => until !== "silent" || returnsAfterMs === null));
});

test("metrics: values are added up over labels, and told apart by one", () => {
  const metrics = new Metrics(
    '# HELP c x\nc_total{transport="sse",reason="stale"} 2\nc_total{transport="websocket",reason="stale"} 3\nc_total{transport="sse",reason="shutdown"} 1e1\nd 4\n',
  );
  assert.equal(metrics.sum("c_total"), 15);
  assert.equal(metrics.sum("c_total", 'transport="sse"'), 12);
  assert.deepEqual(metrics.by("c_total", "reason"), { stale: 5, shutdown: 10 });
  assert.equal(metrics.sum("none"), 0);
});
