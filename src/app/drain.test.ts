import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { goodbyesAt } from "./drain.ts";

test("drain: goodbyes are spread evenly, and the last one is said at the last step", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(100_000), (steps, connections) => {
      let left = connections;
      const said: number[] = [];
      for (let step = 0; step < steps && left > 0; step++) {
        const count = goodbyesAt(step, steps, left);
        said.push(count);
        left -= count;
      }
      assert.equal(left, 0);
      if (connections > steps * steps) {
        assert.equal(said.length, steps);
        assert.ok(Math.max(...said) - Math.min(...said) <= steps);
      }
    }),
  );
});

test("drain: a handful of connections is not kept waiting", () => {
  assert.equal(goodbyesAt(0, 20, 20), 20);
  assert.equal(goodbyesAt(0, 20, 21), 2);
});
