import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenBucket } from "./token-bucket.ts";

const taken = (bucket: TokenBucket, tries: number, nowMs: number) => {
  let count = 0;
  for (let index = 0; index < tries; index++) if (bucket.take(nowMs, 10, 20)) count++;
  return count;
};

test("token bucket: a burst at once, then so many a second, and never more than a burst after a pause", () => {
  const bucket = new TokenBucket();
  assert.equal(taken(bucket, 100, 5000), 20);
  assert.equal(taken(bucket, 100, 5099), 0);
  assert.equal(taken(bucket, 100, 5100), 1);
  assert.equal(taken(bucket, 100, 6100), 10);
  assert.equal(taken(bucket, 100, 3_600_000), 20);
});
