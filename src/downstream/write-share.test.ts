import assert from "node:assert/strict";
import { test } from "node:test";
import { writeShare } from "./write-share.ts";

const frames = (...lengths: number[]) => lengths.map((length) => Buffer.alloc(length));

test("write share: as many frames as fit, one at least, and no more than there are", () => {
  assert.deepEqual(writeShare(frames(10, 20, 30), 100), { count: 3, bytes: 60 });
  assert.deepEqual(writeShare(frames(10, 20, 30), 30), { count: 2, bytes: 30 });
  assert.deepEqual(writeShare(frames(10, 20, 30), 29), { count: 1, bytes: 10 });
  assert.deepEqual(writeShare(frames(500, 20), 100), { count: 1, bytes: 500 });
});
