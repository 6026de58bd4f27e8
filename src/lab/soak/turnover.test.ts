import assert from "node:assert/strict";
import { test } from "node:test";
import { turnoverPerSecond } from "./turnover.ts";

const HOUR = {
  durationMs: 3_600_000,
  compress: 72,
  atMs: 0,
  begun: 0,
  phase: "steady",
  isTls: false,
} as const;

test("turnover: an hour at 72 has more than two million connections", () => {
  assert.ok(turnoverPerSecond(HOUR) * 3600 > 2_100_000);
});

test("turnover: who is behind hurries, to twice the pace at most; who is ahead waits", () => {
  const usual = turnoverPerSecond(HOUR);
  const behind = turnoverPerSecond({ ...HOUR, atMs: 1_800_000, begun: 800_000 });
  assert.ok(behind > usual && behind < 2 * usual);
  assert.ok(Math.abs(turnoverPerSecond({ ...HOUR, atMs: 3_500_000, begun: 1000 }) - 2 * usual) < 1e-6);
  assert.equal(turnoverPerSecond({ ...HOUR, begun: 3_000_000 }), 0);
});

test("turnover: nobody comes in calm, fewer under TLS, more while connections churn", () => {
  const usual = turnoverPerSecond(HOUR);
  assert.equal(turnoverPerSecond({ ...HOUR, phase: "calm" }), 0);
  assert.ok(turnoverPerSecond({ ...HOUR, isTls: true }) < usual / 2);
  assert.ok(turnoverPerSecond({ ...HOUR, phase: "churn" }) > usual);
});

test("turnover: a run that goes on past its time lives as usual, whatever came before", () => {
  const usual = turnoverPerSecond(HOUR);
  for (const begun of [0, 9_000_000])
    assert.ok(Math.abs(turnoverPerSecond({ ...HOUR, atMs: 3_600_000 + 5000, begun }) - usual) < 1e-6);
  assert.equal(turnoverPerSecond({ ...HOUR, atMs: 3_700_000, phase: "calm" }), 0);
});
