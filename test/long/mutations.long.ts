import assert from "node:assert/strict";
import { test } from "node:test";
import { runsOf } from "../simulate/caught.ts";
import { MUTATIONS } from "../simulate/mutations.ts";

/** Days that break no promise as the house stands. */
const SEEDS = [1, 2, 3, 5, 8, 16, 25];

test("mutations: the house as it stands breaks no promise with these seeds", () => {
  for (const { seed, broken } of runsOf(null, SEEDS)) assert.equal(broken, null, `seed ${seed}`);
});

for (const mutation of MUTATIONS) {
  test(`mutations: the simulation finds out that ${mutation.name}`, (t) => {
    const last = runsOf(mutation, SEEDS).at(-1);
    assert.ok(last?.broken != null, "no promise was broken");
    t.diagnostic(`seed ${last.seed}: ${last.broken.promise}: ${last.broken.detail}`);
  });
}
