import assert from "node:assert/strict";
import { test } from "node:test";
import { type SlowSituation, slowVerdict } from "./slow-consumer.ts";

const BEHIND: SlowSituation = {
  isBlocked: true,
  queuedBytes: 10,
  queueBytesMax: 100,
  policy: "conflate",
  hasState: true,
};

test("slow consumer: whoever keeps up gets every event, whatever is queued in a burst", () => {
  for (const policy of ["disconnect", "conflate"] as const)
    assert.equal(slowVerdict({ ...BEHIND, policy, isBlocked: false, queuedBytes: 1000 }), "keep");
});

test("slow consumer: behind, only topics with state are conflated, and only where that is wished", () => {
  assert.equal(slowVerdict(BEHIND), "conflate");
  assert.equal(slowVerdict({ ...BEHIND, hasState: false }), "keep");
  assert.equal(slowVerdict({ ...BEHIND, policy: "disconnect" }), "keep");
});

test("slow consumer: over its bound a client is sent away, by either policy", () => {
  for (const policy of ["disconnect", "conflate"] as const) {
    assert.equal(slowVerdict({ ...BEHIND, policy, queuedBytes: 101 }), "disconnect");
    assert.notEqual(slowVerdict({ ...BEHIND, policy, queuedBytes: 100 }), "disconnect");
  }
});
