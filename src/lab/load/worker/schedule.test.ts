import assert from "node:assert/strict";
import { test } from "node:test";
import { dueAfter, dueAtUs, inParts, shareOf } from "./schedule.ts";

test("schedule of load: so many events are due as have their time by then", () => {
  for (const burst of [1, 3, 100]) {
    for (const elapsedUs of [0, 1, 9_999, 10_000, 1_234_567]) {
      const due = dueAfter(elapsedUs, { eventsPerSecond: 300, burst });
      assert.equal(due % burst, 0);
      assert.ok(dueAtUs(due - 1, 300, burst) <= elapsedUs);
      assert.ok(dueAtUs(due, 300, burst) > elapsedUs);
    }
  }
  assert.equal(dueAfter(5, { eventsPerSecond: null, burst: 1 }), Number.POSITIVE_INFINITY);
});

test("schedule of load: publishers' shares are all that is due, whoever is first", () => {
  for (const due of [0, 1, 2, 3, 10]) {
    const shares = [0, 1, 2].map((publisher) => shareOf(due, publisher, 3));
    assert.equal(
      shares.reduce((sum, share) => sum + share, 0),
      due,
    );
    assert.deepEqual(
      shares,
      shares.toSorted((a, b) => b - a),
    );
  }
});

test("schedule of load: a backlog of any size comes in a bounded number of parts, and whole", () => {
  for (const size of [0, 1, 10_000, 10_001, 86_400_000_000]) {
    const parts = [...inParts(7, 7 + size)];
    assert.ok(parts.length <= 10_000);
    assert.equal(parts[0]?.first ?? 7, 7);
    assert.equal(
      parts.reduce((sum, { count }) => sum + count, 0),
      size,
    );
  }
});
