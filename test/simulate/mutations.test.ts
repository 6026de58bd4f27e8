import assert from "node:assert/strict";
import { test } from "node:test";
import { runsOf } from "./caught.ts";
import { MUTATIONS } from "./mutations.ts";

/** Found out within seconds; the others are for `npm run test:mutations`. */
const QUICK = ["a replay begins one event early", "a gap is not told", "a heartbeat is sent once"];

for (const name of QUICK) {
  test(`mutations: the simulation finds out that ${name}`, (t) => {
    const mutation = MUTATIONS.find((each) => each.name === name);
    assert.ok(mutation !== undefined);
    const last = runsOf(mutation, [1]).at(-1);
    assert.ok(last?.broken != null, "no promise was broken");
    t.diagnostic(`seed ${last.seed}: ${last.broken.promise}: ${last.broken.detail}`);
  });
}
