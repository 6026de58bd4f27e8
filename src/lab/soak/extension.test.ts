import assert from "node:assert/strict";
import { test } from "node:test";
import { extraPhase } from "./extension.ts";
import { turnoverPerSecond } from "./turnover.ts";

test("extension: what lacks connections or looks has visitors come at the usual pace, what lacks a calm has none", () => {
  const paceOf = (lack: "looks" | "connections" | "calm") => {
    const { kind, fromMs, toMs } = extraPhase(lack, 100_000);
    assert.ok(fromMs === 100_000 && toMs > fromMs);
    return turnoverPerSecond({
      durationMs: 90_000,
      compress: 10,
      atMs: 100_000,
      begun: 100,
      phase: kind,
      isTls: false,
    });
  };
  assert.ok(Math.abs(paceOf("looks") - 86) < 1e-6);
  assert.ok(Math.abs(paceOf("connections") - 86) < 1e-6);
  assert.equal(paceOf("calm"), 0);
});
