import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compare } from "./sightings.ts";

test("comparison: what one side lost or doubled is found, whatever it is", () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.integer({ min: 1, max: 500 }), { minLength: 1 }),
      fc.nat(500),
      fc.nat(),
      fc.constantFrom("nothing", "lost", "doubled"),
      (numbers, cursor, pick, fault) => {
        const witness = numbers.toSorted((a, b) => a - b);
        const target = witness.at(-1) as number;
        const between = witness.filter((sequence) => sequence > cursor);
        const victim = between[pick % Math.max(1, between.length)];
        const resumed = between.flatMap((sequence) => {
          if (sequence !== victim || fault === "nothing") return [sequence];
          return fault === "lost" ? [] : [sequence, sequence];
        });
        const result = compare(witness, resumed, cursor, target);
        const hit = victim === undefined ? [] : [victim];
        assert.deepEqual(result, {
          expected: between.length,
          missing: fault === "lost" ? hit : [],
          doubled: fault === "doubled" ? hit : [],
          inOrder: true,
        });
      },
    ),
  );
});

test("comparison: an event at or before the cursor counts as doubled, and disorder is told", () => {
  assert.deepEqual(compare([5, 6, 7], [5, 7, 6], 5, 7), {
    expected: 2,
    missing: [],
    doubled: [5],
    inOrder: false,
  });
});
