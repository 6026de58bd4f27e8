import assert from "node:assert/strict";
import { test } from "node:test";
import { runCuts } from "../long/support/cuts.ts";
import { tableOf } from "../long/upstream-storm/report.ts";

/** The short form of test/long/cuts.long.ts, which has the figures that the project promises. */
test("cuts: of 200 clients a third is cut every second while events flow; who resumed has every event once, in order, and who could not was told", async (context) => {
  const result = await runCuts({
    clients: 200,
    processes: 1,
    seconds: 5,
    oneIn: 3,
    eventsPerSecond: 20,
    logAgeMs: 1000,
    seed: 7,
  });
  context.diagnostic(tableOf(result));
  assert.deepEqual(result.broken, [], tableOf(result));
});
