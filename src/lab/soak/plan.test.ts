import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { planPhases } from "./plan.ts";

const HOUR_MS = 3_600_000;

test("plan: phases follow each other without a hole, from the beginning to the end, which is calm", () => {
  const options = fc.record({
    durationMs: fc.integer({ min: 18_000, max: 40 * HOUR_MS }),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(options, ({ durationMs, seed }) => {
      const phases = planPhases({ durationMs, seed });
      let atMs = 0;
      for (const { fromMs, toMs } of phases) {
        assert.equal(fromMs, atMs);
        assert.ok(toMs > fromMs);
        atMs = toMs;
      }
      assert.ok(Math.abs(atMs - durationMs) < 1);
      assert.equal(phases.at(-1)?.kind, "calm");
    }),
    { numRuns: 60 },
  );
});

test("plan: the same seed gives the same plan, another one another", () => {
  const planOf = (seed: number) => planPhases({ durationMs: HOUR_MS, seed });
  assert.deepEqual(planOf(1), planOf(1));
  assert.notDeepEqual(planOf(1), planOf(2));
});

test("plan: an hour has every kind of phase, and long stretches without a restart", () => {
  const phases = planPhases({ durationMs: HOUR_MS, seed: 1 });
  assert.equal(new Set(phases.map(({ kind }) => kind)).size, 11);
  const restarts = phases.filter(({ kind }) => ["drain", "drain_to_tls", "crash"].includes(kind));
  const begins = [0, ...restarts.map(({ toMs }) => toMs)];
  const stretches = begins.map((from, index) => (restarts[index]?.fromMs ?? HOUR_MS) - from);
  assert.ok(Math.max(...stretches) > 18 * 60_000, `${stretches}`);
});

test("plan: a short run has no restart", () => {
  const kinds = planPhases({ durationMs: 90_000, seed: 3 }).map(({ kind }) => kind);
  assert.ok(kinds.every((kind) => !["drain", "drain_to_tls", "crash", "renew"].includes(kind)));
  assert.ok(kinds.includes("storm") && kinds.includes("outage") && kinds.includes("reload"));
});
