import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { runCrowd } from "../long/upstream-storm/crowd.ts";
import { type FanOutOptions, runFanOut } from "../long/upstream-storm/fan-out.ts";
import { runOutage } from "../long/upstream-storm/outage.ts";
import { runReconnect } from "../long/upstream-storm/reconnect.ts";
import { type StormResult, tableOf } from "../long/upstream-storm/report.ts";

/** The short form of test/long/upstream-storm.long.ts, which has the figures that the project promises. */
const STORM = {
  keys: 40,
  events: 4000,
  subscribers: 160,
  perSecond: 1500,
  keysPerLink: 10,
  seed: 7,
} as const satisfies Partial<FanOutOptions>;

async function holds(context: TestContext, run: Promise<StormResult>): Promise<void> {
  const result = await run;
  context.diagnostic(tableOf(result));
  assert.deepEqual(result.broken, [], tableOf(result));
}

describe("upstream storm", { concurrency: 5 }, () => {
  test("upstream storm: connections reset after 10 to 200 events, and each subscriber has each event once, in order", (context) =>
    holds(context, runFanOut({ ...STORM, name: "resets", ids: true, faults: "resets", roaming: false })));

  test("upstream storm: the same with silences, truncations and 503 answers, while keys and subscribers come and go", (context) =>
    holds(context, runFanOut({ ...STORM, name: "mixed", ids: true, faults: "mixed", roaming: true })));

  test("upstream storm: without event ids nothing comes twice or out of order, and every loss is told", (context) =>
    holds(context, runFanOut({ ...STORM, name: "no-ids", ids: false, faults: "mixed", roaming: false })));

  test("upstream storm: a crowd never makes the feed see more connections than linksMax, and one that rotates", (context) => {
    const limits = { keysPerLink: 10, linksMax: 6, rotateAfterMs: 1000, seed: 7 };
    return holds(context, runCrowd({ ...limits, name: "crowd", subscribers: 400, keys: 50 }));
  });

  test("upstream storm: after an outage links come back apart from each other, within one backoff window", (context) =>
    holds(context, runOutage({ links: 100, outageMs: 1500, retryMinMs: 100, retryMaxMs: 3000 })));
});

test("upstream storm: a link that was reset is connected again within retry.min and a round trip, median of 30", (context) =>
  holds(context, runReconnect({ resets: 30, retryMinMs: 60 })));
