import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Histogram } from "#base/counters.ts";
import { LagWindow } from "./lag-window.ts";

const BOUNDS = [1, 2, 5, 10, 50];

test("lag window: nothing observed in it is null, not zero", () => {
  const histogram = new Histogram(BOUNDS);
  const window = new LagWindow();
  assert.equal(window.percentile(histogram, 0.5), null);
  histogram.observe(3);
  window.look(histogram);
  window.look(histogram);
  assert.equal(window.percentile(histogram, 0.5), null, "it came before the window");
});

test("lag window: what is above every bound answers the highest", () => {
  const histogram = new Histogram(BOUNDS);
  const window = new LagWindow();
  window.look(histogram);
  histogram.observe(1000);
  window.look(histogram);
  assert.equal(window.percentile(histogram, 0.99), 50);
});

test("lag window: after ten looks what was seen is forgotten", () => {
  const histogram = new Histogram(BOUNDS);
  const window = new LagWindow();
  window.look(histogram);
  histogram.observe(40);
  for (let look = 0; look < 10; look++) window.look(histogram);
  assert.equal(window.percentile(histogram, 0.5), 50, "still within ten");
  window.look(histogram);
  assert.equal(window.percentile(histogram, 0.5), null);
});

test("lag window: a percentile is the bucket's bound above the exact one, of the last ten looks only", () => {
  const second = fc.array(fc.double({ min: 0, max: 80, noNaN: true }), { maxLength: 40 });
  const share = fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1);
  fc.assert(
    fc.property(fc.array(second, { maxLength: 25 }), share, (seconds, wanted) => {
      const histogram = new Histogram(BOUNDS);
      const window = new LagWindow();
      window.look(histogram);
      for (const values of seconds) {
        for (const value of values) histogram.observe(value);
        window.look(histogram);
      }
      const lately = seconds
        .slice(-10)
        .flat()
        .toSorted((one, other) => one - other);
      const exact = lately[Math.ceil(lately.length * wanted) - 1];
      const expected = exact === undefined ? null : (BOUNDS.find((bound) => exact <= bound) ?? 50);
      assert.equal(window.percentile(histogram, wanted), expected);
    }),
    { numRuns: 300 },
  );
});
