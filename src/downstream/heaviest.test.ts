import assert from "node:assert/strict";
import { test } from "node:test";
import { heaviest } from "./heaviest.ts";

const weighing = (queuedBytes: number, subscriberCount = 1) => ({ queuedBytes, subscriberCount });

test("heaviest: those with the longest queues go first, and only as many as make up the share", () => {
  const light = Array.from({ length: 90 }, () => weighing(0));
  const heavy = [weighing(1_000_000), weighing(900_000)];
  assert.deepEqual(heaviest([...light, ...heavy], 0.1), [heavy[0]]);
  assert.deepEqual(heaviest([...light, ...heavy], 0.5), heavy);
});

test("heaviest: among equals the share is one of their number, and many subscribers weigh as well", () => {
  const equal = Array.from({ length: 100 }, () => weighing(0));
  assert.equal(heaviest(equal, 0.1).length, 10);
  const many = weighing(0, 500);
  assert.equal(heaviest([...equal, many], 0.01)[0], many);
});

test("heaviest: one is sent away at least, and none where there is none", () => {
  assert.equal(heaviest([weighing(0)], 0.01).length, 1);
  assert.deepEqual(heaviest([], 0.1), []);
});
