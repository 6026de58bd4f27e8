import assert from "node:assert/strict";
import { test } from "node:test";
import { HeldRevocations } from "./held-revocations.ts";

const DAY_MS = 86_400_000;
const at = (atMs: number, untilMs = atMs + DAY_MS) => ({ atMs, untilMs });

test("held revocations: what had to be forgotten is refused by its time, and newer tokens are not", () => {
  const held = new HeldRevocations(2);
  const nowMs = 10_000_000;
  held.add("old", at(1_000_000), nowMs);
  held.add("s2", at(9_000_000), nowMs);
  assert.equal(held.refuses("another", 900_000, nowMs), false);
  held.add("s3", at(9_500_000), nowMs);
  assert.equal(held.size, 2);
  assert.equal(held.refuses("old", 900_000, nowMs), true);
  assert.equal(held.refuses("another", 900_000, nowMs), true);
  // Not up to now: whoever has signed in since that revocation is spared.
  assert.equal(held.refuses("another", 2_000_000, nowMs), false);
});

test("held revocations: the floor goes when no token of what was forgotten can live", () => {
  const held = new HeldRevocations(1);
  held.add("t1", at(1_000, 50_000), 1_000);
  held.add("t2", at(2_000, 90_000), 2_000);
  assert.equal(held.refuses("a publisher's", 500, 49_999), true);
  assert.equal(held.refuses("a publisher's", 500, 50_000), false);
});

test("held revocations: what was forgotten and is read again pushes out nothing", () => {
  const held = new HeldRevocations(2);
  for (const id of ["a", "b", "c"]) assert.equal(held.add(id, at(1_000), 1_000), true);
  assert.equal(held.add("a", at(1_000), 2_000), true);
  assert.equal(held.add("b", at(1_000), 2_000), false);
  assert.equal(held.add("c", at(1_000), 2_000), false);
  assert.equal(held.size, 2);
});

test("held revocations: what is over makes no floor, and is forgotten", () => {
  const held = new HeldRevocations(1);
  held.add("t1", at(1_000, 2_000), 1_000);
  assert.equal(held.holds("t1", 1_999), true);
  held.add("t2", at(2_500, 9_000), 2_500);
  assert.equal(held.refuses("another", 500, 2_500), false);
  held.prune(9_000);
  assert.equal(held.size, 0);
});
