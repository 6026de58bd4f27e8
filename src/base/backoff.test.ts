import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { backoffMs, backoffWindowMs } from "./backoff.ts";
import { seededRandom } from "./random.ts";

const bounds = { minMs: 250, maxMs: 30_000 };

test("backoff: windows double from the least to the most", () => {
  assert.deepEqual(
    [0, 1, 2, 6, 7, 1000].map((attempt) => backoffWindowMs(attempt, bounds)),
    [250, 500, 1000, 16_000, 30_000, 30_000],
  );
});

test("backoff: a wait lies anywhere in its window, from the first retry on", () => {
  fc.assert(
    fc.property(
      fc.nat(2000),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, chance) => {
        const waitMs = backoffMs(attempt, bounds, () => chance);
        assert.equal(waitMs, chance * backoffWindowMs(attempt, bounds));
      },
    ),
  );
});

test("random: a seed repeats its numbers, and they fill [0, 1)", () => {
  const draw = (seed: number) => {
    const random = seededRandom(seed);
    return Array.from({ length: 1000 }, random);
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  const numbers = draw(1);
  assert.ok(numbers.every((number) => number >= 0 && number < 1));
  assert.ok(Math.abs(numbers.reduce((sum, number) => sum + number, 0) / 1000 - 0.5) < 0.05);
});
