import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Histogram } from "./histogram.ts";

const value = fc.oneof(fc.nat(300), fc.nat(100_000), fc.nat(2 ** 32 - 1), fc.constant(2 ** 32 - 1));
const PERCENTS = [0, 1, 50, 90, 99, 99.9, 100];

test("histogram: every percentile is the exact one, or above it by at most 1/128", () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 400 }), (values) => {
      const histogram = of(values);
      const sorted = values.toSorted((a, b) => a - b);
      for (const percent of PERCENTS) {
        const exact = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length - 1e-6) - 1)] as number;
        const told = histogram.percentile(percent) as number;
        assert.ok(told >= exact && told <= exact + exact / 128, `${percent} %: ${told} for ${exact}`);
      }
      assert.equal(histogram.max, sorted.at(-1));
      assert.equal(histogram.count, values.length);
    }),
  );
});

test("histogram: merged, it is the histogram of all the numbers together", () => {
  fc.assert(
    fc.property(fc.array(value), fc.array(value), (left, right) => {
      const merged = of(left);
      merged.add(structuredClone(of(right).state()));
      assert.deepEqual(merged.state(), of([...left, ...right]).state());
    }),
  );
});

test("histogram: an empty one has no percentile, and a number out of range counts as the nearest in it", () => {
  const histogram = new Histogram();
  assert.equal(histogram.percentile(50), null);
  assert.equal(histogram.mean, null);
  for (const outside of [-5, 2 ** 40]) histogram.record(outside);
  assert.equal(histogram.percentile(1), 0);
  assert.equal(histogram.max, 2 ** 32 - 1);
  histogram.reset();
  assert.deepEqual(histogram.state(), new Histogram().state());
});

function of(values: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const each of values) histogram.record(each);
  return histogram;
}
