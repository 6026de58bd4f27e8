import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { GAP_PACE_MS, GapPace } from "./gap-pace.ts";

const { min, max } = GAP_PACE_MS;

describe("gap pace", () => {
  test("gap pace: the first fault is told at once, a burst after it once, at the end of the pace", () => {
    const pace = new GapPace();
    assert.equal(pace.fault(0), true);
    assert.equal(pace.owedInMs(0), null);
    for (let ms = 1; ms < 100; ms++) assert.equal(pace.fault(ms), false);
    assert.equal(pace.owedInMs(100), min - 100);
    pace.told(min);
    assert.equal(pace.owedInMs(min), null);
  });

  test("gap pace: a feed that goes on so is told of ever more rarely, and at once again after a calm while", () => {
    const pace = new GapPace();
    const told: number[] = [];
    const hour = 3_600_000;
    for (let ms = 0; ms < hour; ms += 1000) {
      if (pace.fault(ms)) told.push(ms);
      if (pace.owedInMs(ms) === 0) {
        pace.told(ms);
        told.push(ms);
      }
    }
    assert.deepEqual(told.slice(0, 4), [0, min, 3 * min, 7 * min]);
    assert.ok(told.length < 15, `${told.length} in an hour`);
    assert.equal(pace.fault(hour + 2 * max), true);
    assert.equal(pace.fault(hour + 2 * max + 1), false);
    assert.equal(pace.owedInMs(hour + 2 * max + 1), min - 1);
  });
});
