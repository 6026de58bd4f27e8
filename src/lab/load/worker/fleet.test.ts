import assert from "node:assert/strict";
import { test } from "node:test";
import { LOAD_PLAN, LOAD_TARGET } from "../../../../test/helpers/load-plan.ts";
import { Fleet } from "./fleet.ts";

test("fleet of load: a worker that has no share of the subscribers has opened all of them at once", async () => {
  const plan = { ...LOAD_PLAN, sse: 2, websocket: 0 };
  const fleet = new Fleet({ plan, target: LOAD_TARGET, token: null, worker: 3, workers: 4 });
  await fleet.begin();
  assert.equal(fleet.sample().opened, 0);
  assert.deepEqual(await fleet.settle({ counts: [5], refused: [] }, 0), { lost: 0, behind: 0 });
});
