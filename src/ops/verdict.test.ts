import assert from "node:assert/strict";
import { test } from "node:test";
import type { Readiness } from "./health.ts";
import { type VerdictFacts, verdictOf } from "./verdict.ts";

const DAY_MS = 86_400_000;
const T0 = 1_767_225_600_000;
const READY: Readiness = { ready: true, reasons: [] };
const facts = (change: Partial<VerdictFacts> = {}): VerdictFacts => ({
  connections: 1200,
  connectionsMax: 20_000,
  linksOpen: 3,
  linksDown: 0,
  certificateExpiresAtMs: T0 + 60 * DAY_MS,
  sweepReclaimed: 0,
  nowMs: T0,
  ...change,
});

test("verdict: nothing to complain of is one sentence with the numbers", () => {
  assert.deepEqual(verdictOf(READY, facts()), {
    level: "well",
    sentence: "All is well: 1,200 connections, 3 links open.",
    reasons: [],
  });
  const idle = verdictOf(READY, facts({ connections: 1, linksOpen: 0, certificateExpiresAtMs: null }));
  assert.equal(idle.sentence, "All is well: 1 connection, no link is needed.");
});

const WARNINGS: readonly (readonly [Partial<VerdictFacts>, string, RegExp])[] = [
  [{ linksDown: 1 }, "links_down", /1 of 4 links are not open/],
  [{ connections: 18_000 }, "nearly_full", /18000 of 20000 .* limits\.connections/],
  [{ certificateExpiresAtMs: T0 + 13.5 * DAY_MS }, "certificate_expiring", /expires in 13 days/],
  [{ certificateExpiresAtMs: T0 - 1 }, "certificate_expiring", /has expired: renew it, then send SIGHUP/],
  [{ sweepReclaimed: 2 }, "sweep_found", /2 things/],
];

for (const [change, code, message] of WARNINGS) {
  test(`verdict: ${code} is a warning that says what to do (${message.source})`, () => {
    const { level, sentence, reasons } = verdictOf(READY, facts(change));
    assert.equal(level, "warning");
    assert.deepEqual(
      reasons.map((reason) => [reason.code, reason.severity]),
      [[code, "warning"]],
    );
    assert.match(reasons[0]?.message ?? "", message);
    assert.equal(sentence, `Serving, but look at this: ${reasons[0]?.message}.`);
  });
}

test("verdict: just before its bound, nothing is warned of", () => {
  const near = facts({ connections: 17_999, certificateExpiresAtMs: T0 + 14 * DAY_MS });
  assert.equal(verdictOf(READY, near).level, "well");
});

test("verdict: a failure comes before every warning, and all reasons are told", () => {
  const failing: Readiness = {
    ready: false,
    reasons: [{ code: "database", severity: "failure", message: "the database does not answer" }],
  };
  const { level, sentence, reasons } = verdictOf(failing, facts({ linksDown: 2, sweepReclaimed: 1 }));
  assert.equal(level, "failure");
  assert.equal(sentence, "Not well: the database does not answer.");
  assert.deepEqual(
    reasons.map(({ code }) => code),
    ["database", "links_down", "sweep_found"],
  );
});
