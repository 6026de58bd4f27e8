import assert from "node:assert/strict";
import { test } from "node:test";
import { descriptorLimit, socketsMax } from "./descriptors.ts";

test("descriptors: sockets are bounded by the connections and a spare, or by what the system allows less a reserve", () => {
  assert.equal(socketsMax(20_000, 8, null), 22_000);
  assert.equal(socketsMax(20_000, 8, 1_048_576), 22_000);
  assert.equal(socketsMax(20_000, 8, 1024), 1024 - 256 - 8);
  assert.equal(socketsMax(100, 0, 65_536), 300);
  assert.equal(socketsMax(100, 0, 64), 1);
});

test("descriptors: the system's limit is a number where the system tells", () => {
  const limit = descriptorLimit();
  assert.ok(limit === null || limit >= 64);
});
