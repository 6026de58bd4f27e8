import assert from "node:assert/strict";
import { test } from "node:test";
import { type ReadinessState, readiness } from "./health.ts";

const FINE: ReadinessState = {
  draining: false,
  listening: true,
  memoryShort: false,
  databaseFault: null,
  logUnwritten: false,
  feeds: [],
};

test("readiness: with nothing wrong the gateway is ready, without reasons", () => {
  assert.deepEqual(readiness({ ...FINE, feeds: [{ name: "quotes", linksRejected: 0 }] }), {
    ready: true,
    reasons: [],
  });
});

test("readiness: draining, a closed listener and a database that does not answer are failures, all told at once", () => {
  const answer = readiness({
    draining: true,
    listening: false,
    memoryShort: true,
    databaseFault: "disk is full",
    logUnwritten: false,
    feeds: [],
  });
  assert.equal(answer.ready, false);
  assert.deepEqual(
    answer.reasons.map(({ code, severity }) => [code, severity]),
    [
      ["draining", "failure"],
      ["not_listening", "failure"],
      ["memory_short", "failure"],
      ["database", "failure"],
    ],
  );
  assert.match(answer.reasons[3]?.message ?? "", /disk is full/);
});

test("readiness: a rejected feed is a warning, since another node would fare no better", () => {
  const answer = readiness({ ...FINE, feeds: [{ name: "quotes", linksRejected: 2 }] });
  assert.equal(answer.ready, true);
  assert.deepEqual(answer.reasons, [
    {
      code: "feed_rejected",
      severity: "warning",
      message: "feed quotes rejects 2 links: check its url, headers and credentials",
    },
  ]);
});

test("readiness: a log that is not written to its disk is a warning, since it goes on in memory", () => {
  const { ready, reasons } = readiness({ ...FINE, logUnwritten: true });
  assert.equal(ready, true);
  assert.deepEqual(
    reasons.map(({ code, severity }) => [code, severity]),
    [["log_unwritten", "warning"]],
  );
});
