import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#base/virtual-clock.ts";
import type { Identity } from "./identity.ts";
import { type KnownToken, REMEMBER_MS, TokenCache } from "./token-cache.ts";

const known: KnownToken = { identity: { user: "ann" } as Identity, issuedAtMs: 0 };
const HOUR_MS = 3_600_000;

function cacheOf(max?: number) {
  const clock = new VirtualClock();
  const cache = new TokenCache(clock, REMEMBER_MS, max);
  const remember = (key: string, leftMs = HOUR_MS) => cache.remember(key, known, clock.nowMs() + leftMs);
  return { clock, cache, remember };
}

test("token cache: a token is known for so long at most, and never past its own end", () => {
  const { clock, cache, remember } = cacheOf();
  remember("long");
  remember("short", 5000);
  clock.advance(4999);
  assert.equal(cache.find("short")?.identity.user, "ann");
  clock.advance(1);
  assert.equal(cache.find("short"), null);
  clock.advance(54_999);
  assert.equal(cache.find("long")?.identity.user, "ann");
  clock.advance(1);
  assert.equal(cache.find("long"), null);
});

test("token cache: above its bound the oldest go, and one remembered anew is not the oldest", () => {
  const { cache, remember } = cacheOf(3);
  for (const key of ["a", "b", "c", "a", "d"]) remember(key);
  assert.deepEqual(
    ["a", "b", "c", "d"].map((key) => cache.find(key) !== null),
    [true, false, true, true],
  );
  assert.equal(cache.size, 3);
});

test("token cache: those of a storm are let go when they are past their time, whoever asks next", () => {
  const { clock, cache, remember } = cacheOf();
  for (let index = 0; index < 1000; index++) remember(`storm-${index}`);
  clock.advance(59_000);
  remember("later");
  assert.equal(cache.size, 1001);
  clock.advance(1000);
  assert.equal(cache.find("nobody"), null);
  assert.equal(cache.size, 1);
});

test("token cache: a key tells nothing of its token", () => {
  const token = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJkZW1vIn0.c2lnbmF0dXJl";
  assert.match(TokenCache.keyOf(token), /^[\w+/]{43}=$/);
  assert.notEqual(TokenCache.keyOf(token), TokenCache.keyOf(`${token}x`));
});
