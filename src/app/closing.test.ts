import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { closeAll, DATABASE_WAIT_MS } from "./closing.ts";

function setUp() {
  const clock = new VirtualClock();
  const answer = Promise.withResolvers<void>();
  const storage = { name: "a database", abandon: () => answer.reject(new Error("given up")) };
  const closed: string[] = [];
  const stack = new AsyncDisposableStack();
  stack.defer(() => void closed.push("first"));
  stack.defer(async () => {
    await answer.promise.catch(() => {});
    closed.push("what asks the database");
  });
  return { clock, answer, closed, closing: () => closeAll(stack, { storage, clock, log: silentLogger }) };
}

test("closing: a database that does not answer is given up after a while, and the rest closes in order", async () => {
  const { clock, closed, closing } = setUp();
  const over = closing();
  clock.advance(DATABASE_WAIT_MS - 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(closed, []);
  clock.advance(1);
  await over;
  assert.deepEqual(closed, ["what asks the database", "first"]);
});

test("closing: a database that answers in time is not given up, and no timer is left", async () => {
  const { clock, answer, closed, closing } = setUp();
  const over = closing();
  answer.resolve();
  await over;
  assert.equal(clock.timersPending, 0);
  assert.equal(closed.length, 2);
});
