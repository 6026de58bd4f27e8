import assert from "node:assert/strict";
import { test } from "node:test";
import { LatencyHistogram } from "../long/support/latency-histogram.ts";
import { Receipt } from "../long/support/receipt.ts";

test("latency histogram: percentiles are within 1.6 %, and those of several processes add up", () => {
  const [one, other] = [new LatencyHistogram(), new LatencyHistogram()];
  for (let ms = 1; ms <= 10_000; ms++) (ms % 3 === 0 ? one : other).record(ms);
  one.add(new LatencyHistogram(other.counts));
  assert.equal(one.samples, 10_000);
  for (const share of [0.001, 0.5, 0.9, 0.99, 1]) {
    const [exact, found] = [share * 10_000, one.percentileMs(share)];
    assert.ok(found >= exact && found <= exact * 1.016, `${share}: ${found}`);
  }
  assert.ok(Number.isNaN(new LatencyHistogram().percentileMs(0.5)));
});

test("latency histogram: a microsecond and an hour have their buckets", () => {
  const histogram = new LatencyHistogram();
  histogram.record(0.001);
  assert.equal(histogram.percentileMs(1), 0.001);
  histogram.record(3_600_000);
  assert.ok(Math.abs(histogram.percentileMs(1) / 3_600_000 - 1) < 0.016);
});

test("receipt: what is left out counts as lost, unless it was told; what comes again never counts as received", () => {
  const receipt = new Receipt();
  for (const number of [1, 2, 5, 4, 5]) receipt.take(number);
  const { last, events, repeated, lost, forgone } = receipt;
  assert.deepEqual(
    { last, events, repeated, lost, forgone },
    { last: 5, events: 5, repeated: 2, lost: 2, forgone: 0 },
  );
  receipt.tell(null);
  receipt.take(9);
  receipt.take(11);
  assert.deepEqual([receipt.forgone, receipt.lost], [3, 3]);
});

test("receipt: one told from where on it gets everything has lost what is missing from there", () => {
  const receipt = new Receipt();
  receipt.take(1);
  receipt.tell(5);
  receipt.take(6);
  assert.deepEqual([receipt.forgone, receipt.lost], [3, 1]);
});
