import assert from "node:assert/strict";
import { test } from "node:test";
import { SqueezedBound } from "./squeezed-bound.ts";

const MIB = 1024 * 1024;

test("squeezed bound: a store that is far from its bound is squeezed by what it held when memory became short", () => {
  const bound = new SqueezedBound();
  assert.equal(bound.of(1024 * MIB), 1024 * MIB);
  bound.squeeze(0.5, 200 * MIB);
  bound.squeeze(0.25, 100 * MIB);
  assert.equal(bound.of(1024 * MIB), 50 * MIB);
  bound.squeeze(1, 50 * MIB);
  assert.equal(bound.of(1024 * MIB), 1024 * MIB);
});

test("squeezed bound: a small store keeps what frees nothing, and none gets more than its bound", () => {
  const bound = new SqueezedBound();
  bound.squeeze(0.5, MIB);
  assert.equal(bound.of(64 * MIB), 8 * MIB);
  assert.equal(bound.of(4 * MIB), 2 * MIB);
  bound.squeeze(0, MIB);
  assert.equal(bound.of(64 * MIB), 0);
});
