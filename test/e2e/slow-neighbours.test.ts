import assert from "node:assert/strict";
import { test } from "node:test";
import { runSlowNeighbours } from "../long/support/slow-neighbours.ts";
import { tableOf } from "../long/upstream-storm/report.ts";

/** The short form of test/long/slow-neighbours.long.ts, which also judges the readers' latency. */
test("slow neighbours: ten clients that stop reading cost no more than their bounds, and end as slow; those who read get everything", async (context) => {
  const result = await runSlowNeighbours({
    readers: 100,
    slow: 10,
    processes: 1,
    rounds: 1,
    phaseSeconds: 1,
    eventsPerSecond: 20,
    timeoutMs: 1500,
    warms: false,
    judgesLatency: false,
  });
  context.diagnostic(tableOf(result));
  assert.deepEqual(result.broken, [], tableOf(result));
});
