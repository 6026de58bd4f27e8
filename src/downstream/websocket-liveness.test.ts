import assert from "node:assert/strict";
import { test } from "node:test";
import { CONNECT_TIMEOUT_MS, EXPIRY_GRACE_MS, Liveness } from "./websocket-liveness.ts";

const bounds = { intervalMs: 25_000, timeoutMs: 10_000 };

function connected(chance = 0) {
  const liveness = new Liveness(bounds, 0);
  liveness.connected(0, chance);
  return liveness;
}

test("liveness: who does not connect in time is stale", () => {
  const liveness = new Liveness(bounds, 5);
  assert.equal(liveness.nextMs, 5 + CONNECT_TIMEOUT_MS);
  assert.equal(liveness.due(4 + CONNECT_TIMEOUT_MS), null);
  assert.equal(liveness.due(5 + CONNECT_TIMEOUT_MS), "stale");
});

test("liveness: first pings are spread over the second half of the interval", () => {
  assert.equal(connected(0).nextMs, 12_500);
  assert.equal(connected(0.999).nextMs, 24_987.5);
});

test("liveness: pings come every interval while pongs come", () => {
  const liveness = connected();
  for (let at = 12_500; at < 500_000; at += 25_000) {
    assert.equal(liveness.nextMs, at);
    assert.equal(liveness.due(at), "ping");
    assert.equal(liveness.due(at), null);
    assert.equal(liveness.nextMs, at + 10_000);
    assert.ok(liveness.pong(at + 9_999));
  }
});

test("liveness: a pong that is late by a millisecond is no pong", () => {
  const liveness = connected();
  liveness.due(12_500);
  assert.equal(liveness.due(22_499), null);
  assert.equal(liveness.due(22_500), "no_pong");
});

test("liveness: a pong that nobody asked for is refused, a second one too", () => {
  const liveness = connected();
  assert.equal(liveness.pong(1), false);
  liveness.due(12_500);
  assert.equal(liveness.pong(12_501), true);
  assert.equal(liveness.pong(12_502), false);
});

test("liveness: with a timeout beyond the interval every ping is owed its pong", () => {
  const liveness = new Liveness({ intervalMs: 1000, timeoutMs: 2500 }, 0);
  liveness.connected(0, 0);
  assert.equal(liveness.due(500), "ping");
  assert.equal(liveness.due(1500), "ping");
  assert.ok(liveness.pong(1600));
  assert.ok(liveness.pong(1700));
  assert.equal(liveness.pong(1800), false);
  assert.equal(liveness.due(2500), "ping");
  assert.equal(liveness.due(5000), "no_pong");
});

test("liveness: a sign-in ends a grace after its time, unless it is renewed", () => {
  const liveness = connected();
  liveness.expiresIn(0, 1000);
  assert.equal(liveness.due(999 + EXPIRY_GRACE_MS - 15_000), null);
  liveness.expiresIn(900, 60_000);
  liveness.due(12_500);
  liveness.pong(12_501);
  liveness.due(37_500);
  liveness.pong(37_501);
  assert.equal(liveness.due(1000 + EXPIRY_GRACE_MS + 20_000), null);
  liveness.due(62_500);
  liveness.pong(62_501);
  assert.equal(liveness.due(60_900 + EXPIRY_GRACE_MS), "expired");
});

test("liveness: an anonymous connection never expires", () => {
  const liveness = connected();
  liveness.expiresIn(0, 10);
  liveness.expiresIn(0, null);
  assert.equal(liveness.due(12_499), null);
});
