import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { checkSession, type SessionHealth, sessionPace } from "./http2-health.ts";

const PACE = { pingAfterMs: 15_000, pingTimeoutMs: 10_000, lingerMs: 5000 };
const QUIET: SessionHealth = { streams: 2, emptySinceMs: 0, heardAtMs: 1000, pingedAtMs: null };

describe("session health", () => {
  for (const [what, health, nowMs, verdict] of [
    ["one that was just heard is left in peace", QUIET, 1000, { do: "wait", atMs: 16_000 }],
    ["one that is silent is asked", QUIET, 16_000, { do: "ping" }],
    ["an answer is waited for", { ...QUIET, pingedAtMs: 16_000 }, 25_999, { do: "wait", atMs: 26_000 }],
    ["but not for ever", { ...QUIET, pingedAtMs: 16_000 }, 26_000, { do: "give up" }],
    [
      "bytes before the answer are a sign of life",
      { ...QUIET, pingedAtMs: 16_000, heardAtMs: 20_000 },
      26_000,
      { do: "wait", atMs: 30_000 },
    ],
    ["one without streams is kept a while", { ...QUIET, streams: 0 }, 4999, { do: "wait", atMs: 5000 }],
    ["and no longer, PING or not", { ...QUIET, streams: 0, pingedAtMs: 1 }, 5000, { do: "leave" }],
  ] as const) {
    test(`session health: ${what}`, () => {
      assert.deepEqual(checkSession(health, PACE, nowMs), verdict);
    });
  }

  test("session health: a dead session is found before its links' idle time-out", () => {
    for (const idleTimeoutMs of [1000, 45_000, 86_400_000]) {
      const { pingAfterMs, pingTimeoutMs } = sessionPace(idleTimeoutMs);
      assert.ok(pingAfterMs + pingTimeoutMs < idleTimeoutMs);
      assert.ok(pingTimeoutMs <= 10_000);
    }
  });
});
