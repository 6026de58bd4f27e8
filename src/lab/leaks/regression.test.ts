import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "#base/random.ts";
import { type Pair, pooled, slopeBeside, slopeOf, type Triple } from "./regression.ts";

test("slope: a line is found exactly, and nothing is said of too few points", () => {
  fc.assert(
    fc.property(fc.integer({ min: -1000, max: 1000 }), fc.integer({ min: 8, max: 200 }), (slope, count) => {
      const found = slopeOf(Array.from({ length: count }, (_, x): Pair => [x, 7 + slope * x]));
      assert.ok(found !== null && Math.abs(found.slope - slope) < 1e-6);
      assert.ok(found.low <= found.slope && found.slope <= found.high);
    }),
  );
  assert.equal(slopeOf(Array.from({ length: 7 }, (_, x): Pair => [x, x])), null);
  assert.equal(slopeOf(Array.from({ length: 9 }, (): Pair => [1, 2])), null);
});

test("slope: samples that hang together, without a trend, seldom seem to grow", () => {
  const random = seededRandom(1);
  let tooHigh = 0;
  const rounds = 400;
  for (let round = 0; round < rounds; round++) {
    if ((slopeOf(wandering(120, 0.7, 0, random))?.low ?? 0) > 0) tooHigh++;
  }
  // One side of a 95 % interval: 2.5 % of them, were it exact.
  assert.ok(tooHigh <= rounds * 0.06, `${tooHigh} of ${rounds} seemed to grow`);
});

test("slope: a trend as large as the noise in a tenth of the time is found", () => {
  const random = seededRandom(2);
  let found = 0;
  for (let round = 0; round < 100; round++) {
    if ((slopeOf(wandering(120, 0.5, 0.1, random))?.low ?? 0) > 0) found++;
  }
  assert.ok(found >= 95, `${found} of 100`);
});

test("slope: beside something else that y depends on, it is found exactly; where nothing else is left of x, it is none", () => {
  const random = seededRandom(3);
  const triples = Array.from({ length: 30 }, (_, x): Triple => {
    const beside = random() * 500;
    return [x, 3 * x + 7000 * beside, beside];
  });
  const found = slopeBeside(triples);
  assert.ok(found !== null && Math.abs(found.slope - 3) < 1e-3, `${found?.slope}`);
  const same = slopeBeside(triples.map(([x, y]): Triple => [x, y, x]));
  assert.ok(same === null || same.low <= 0);
});

test("slope: pooled over lives, the surest count most", () => {
  const sure = { slope: 1, low: 0.9, high: 1.1, points: 100 };
  const unsure = { slope: 100, low: -100, high: 300, points: 10 };
  const both = pooled([sure, unsure]);
  assert.ok(both !== null && Math.abs(both.slope - 1) < 0.01);
  assert.ok(both.high - both.low <= sure.high - sure.low);
  assert.equal(both.points, 110);
  assert.equal(pooled([]), null);
});

/** Each point is a share of the one before, plus chance, plus a trend. */
function wandering(count: number, memory: number, trend: number, random: () => number): Pair[] {
  let at = 0;
  return Array.from({ length: count }, (_, x): Pair => {
    at = memory * at + (random() - 0.5) * 2;
    return [x, at + trend * x];
  });
}
