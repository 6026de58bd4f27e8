import assert from "node:assert/strict";
import { test } from "node:test";
import { isRevokedBy } from "#auth/identity.ts";
import { Revocations } from "#auth/revocations.ts";
import { SESSIONS_MAX, Sessions } from "#auth/sessions.ts";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { openStorage } from "#storage/storage.ts";

const TTL_MS = 30 * 86_400_000;

async function open() {
  const clock = new VirtualClock();
  const storage = await openStorage("sqlite::memory:", { clock, logger: silentLogger });
  const revocations = new Revocations({ sessions: storage.sessions, clock, log: silentLogger });
  await revocations.open();
  return { clock, storage, revocations, sessions: new Sessions(storage.sessions, revocations, clock) };
}

test("sessions: beyond the bound a user's least used ones end, without a revocation; others' stay", async () => {
  const { clock, storage, revocations, sessions } = await open();
  await using _storage = storage;
  await using _revocations = revocations;
  const bobs = await sessions.begin("bob", TTL_MS);
  let inUse = await sessions.begin("ada", TTL_MS);
  const idle = await sessions.begin("ada", TTL_MS);
  clock.advance(1_000);
  inUse = await sessions.refresh(inUse.refreshToken, TTL_MS);
  for (let more = 0; more < SESSIONS_MAX - 1; more++) await sessions.begin("ada", TTL_MS);
  await assert.rejects(sessions.refresh(idle.refreshToken, TTL_MS), { code: "invalid_refresh_token" });
  assert.equal((await sessions.refresh(inUse.refreshToken, TTL_MS)).user, "ada");
  assert.equal((await sessions.refresh(bobs.refreshToken, TTL_MS)).user, "bob");
  assert.equal(revocations.held, 0);
});

test("attack, a user of 10,200 sessions: disabling reaches the newest, spares everybody else, and is told in few batches", async () => {
  const { clock, storage, revocations } = await open();
  await using _storage = storage;
  await using _revocations = revocations;
  const issuedAtMs = clock.nowMs();
  for (let at = 0; at < 10_200; at++) {
    await storage.sessions.add({
      id: `s${at}`,
      user: "ada",
      familyHash: "family",
      tokenHash: "token",
      previousTokenHash: null,
      createdMs: issuedAtMs,
      rotatedMs: issuedAtMs,
      expiresMs: issuedAtMs + TTL_MS,
      revokedMs: null,
    });
  }
  clock.advance(60_000);
  await storage.sessions.revokeAllOf("ada", clock.nowMs());
  const identity = { kind: "user", user: "ada", tokenId: "t", sessionId: "s10199" } as Parameters<
    typeof isRevokedBy
  >[0];
  const told: boolean[] = [];
  let ended = 0;
  revocations.onRevoked((filter) => {
    told.push(isRevokedBy(identity, filter));
    ended += filter.sessionIds.size;
  });
  await revocations.poll();
  assert.equal(told.filter(Boolean).length, 1);
  assert.equal(ended, 10_200);
  assert.ok(told.length < 10, `${told.length} batches`);
  assert.equal(revocations.isRevoked({ sessionId: "s10199", tokenId: null, issuedAtMs }), true);
  assert.equal(revocations.isRevoked({ sessionId: "bob's", tokenId: null, issuedAtMs }), false);
  assert.equal(revocations.isRevoked({ sessionId: null, tokenId: "a publisher's", issuedAtMs }), false);
});
