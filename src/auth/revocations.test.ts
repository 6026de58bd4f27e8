import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import type { Revocation, RevocationPlace, SessionStore } from "./ports.ts";
import { PAGE, POLL_EVERY_MS, REMEMBER_MS, Revocations } from "./revocations.ts";

/** As much of a session store as is asked here; what other processes revoke is pushed onto `rows`, in order. */
class Rows implements Pick<SessionStore, "revokedSessions" | "revokedTokens" | "prune"> {
  readonly rows: Revocation[] = [];
  fails = false;
  asked = 0;
  /** What each reading waits for once it has read. */
  answers: Promise<void> | null = null;
  pruned: number[] = [];

  async revokedSessions({ atMs, id }: RevocationPlace, limit: number): Promise<Revocation[]> {
    this.asked++;
    if (this.fails) throw new Error("the database is away");
    const read = this.rows
      .filter((row) => row.atMs > atMs || (row.atMs === atMs && (id === null || (row.sessionId ?? "") > id)))
      .slice(0, limit);
    if (this.answers !== null) await this.answers;
    return read;
  }

  async revokedTokens(): Promise<Revocation[]> {
    return [];
  }

  async prune(beforeMs: number): Promise<number> {
    this.pruned.push(beforeMs);
    return 0;
  }
}

const session = (sessionId: string, atMs: number): Revocation => ({
  sessionId,
  tokenId: null,
  user: "ada",
  atMs,
  untilMs: null,
});
const settle = () => new Promise((resolve) => setImmediate(resolve));

function setUp(heldMax?: number) {
  const clock = new VirtualClock();
  const rows = new Rows();
  const revocations = new Revocations({
    sessions: rows as unknown as SessionStore,
    clock,
    log: silentLogger,
    ...(heldMax === undefined ? {} : { heldMax }),
  });
  const told: string[][] = [];
  revocations.onRevoked(({ sessionIds, tokenIds }) => told.push([...sessionIds, ...tokenIds]));
  const isRevoked = (sessionId: string | null, tokenId: string | null = null) =>
    revocations.isRevoked({ sessionId, tokenId, issuedAtMs: clock.nowMs() });
  return { clock, rows, revocations, told, isRevoked };
}

test("revocations: those stored before the start are known at the start", async () => {
  const { clock, rows, revocations, isRevoked } = setUp();
  rows.rows.push(session("s1", clock.nowMs() - 1000));
  await revocations.open();
  assert.equal(isRevoked("s1"), true);
  assert.equal(isRevoked("s2"), false);
  assert.equal(isRevoked(null), false);
  await revocations[Symbol.asyncDispose]();
});

test("revocations: another process's is seen at the next look, told once, and its clock may lag", async () => {
  const { clock, rows, revocations, told, isRevoked } = setUp();
  await revocations.open();
  clock.advance(3_600_000);
  await settle();
  rows.rows.push(session("s1", clock.nowMs() - 30_000));
  for (let at = 0; at < 5; at++) {
    clock.advance(POLL_EVERY_MS);
    await settle();
  }
  assert.equal(isRevoked("s1"), true);
  assert.deepEqual(told, [["s1"]]);
  await revocations[Symbol.asyncDispose]();
});

test("revocations: a database that is away does not stop them, and what was known stays", async () => {
  const { clock, rows, revocations, isRevoked } = setUp();
  rows.rows.push(session("s1", clock.nowMs()));
  await revocations.open();
  rows.fails = true;
  for (let at = 0; at < 3; at++) {
    clock.advance(POLL_EVERY_MS);
    await settle();
  }
  assert.equal(isRevoked("s1"), true);
  rows.fails = false;
  rows.rows.push(session("s2", clock.nowMs()));
  clock.advance(POLL_EVERY_MS);
  await settle();
  assert.equal(isRevoked("s2"), true);
  await revocations[Symbol.asyncDispose]();
});

test("revocations: forgotten once no token of theirs can live, in memory and in the database", async () => {
  const { clock, rows, revocations, isRevoked } = setUp();
  await revocations.open();
  revocations.add(session("s1", clock.nowMs()));
  revocations.add({
    sessionId: null,
    tokenId: "t1",
    user: null,
    atMs: clock.nowMs(),
    untilMs: clock.nowMs() + 2 * REMEMBER_MS,
  });
  clock.advance(REMEMBER_MS);
  await settle();
  await revocations.poll();
  assert.equal(isRevoked("s1"), false);
  assert.equal(isRevoked(null, "t1"), true);
  assert.equal(revocations.held, 1);
  assert.ok(rows.pruned.length >= 2);
  await revocations[Symbol.asyncDispose]();
});

test("revocations: above the bound the oldest is dropped, and every token from before is refused", async () => {
  const { clock, revocations } = setUp(2);
  await revocations.open();
  const issuedAtMs = clock.nowMs();
  clock.advance(1000);
  for (const id of ["s1", "s2"]) revocations.add(session(id, clock.nowMs()));
  assert.equal(revocations.isRevoked({ sessionId: "s9", tokenId: null, issuedAtMs }), false);
  revocations.add(session("s3", clock.nowMs()));
  assert.equal(revocations.held, 2);
  assert.equal(revocations.isRevoked({ sessionId: "s1", tokenId: null, issuedAtMs }), true);
  assert.equal(revocations.isRevoked({ sessionId: "s9", tokenId: null, issuedAtMs }), true);
  clock.advance(1000);
  assert.equal(revocations.isRevoked({ sessionId: "new", tokenId: null, issuedAtMs: clock.nowMs() }), false);
  await revocations[Symbol.asyncDispose]();
});

test("revocations: more at one instant than are read at once are all seen, told a page at a time, and harm nobody else", async () => {
  const { clock, rows, revocations, told, isRevoked } = setUp();
  await revocations.open();
  const count = 2 * PAGE + 200;
  for (let at = 0; at < count; at++) rows.rows.push(session(`s${at + 100_000}`, clock.nowMs()));
  await revocations.poll();
  for (const at of [0, PAGE - 1, PAGE, 2 * PAGE, count - 1])
    assert.equal(isRevoked(`s${at + 100_000}`), true);
  assert.equal(isRevoked("another's"), false);
  assert.deepEqual(
    told.map((page) => page.length),
    [PAGE, PAGE, 200],
  );
  await revocations.poll();
  assert.equal(told.length, 3);
  await revocations[Symbol.asyncDispose]();
});

test("revocations: too many sessions' refuse no token without a session", async () => {
  const { clock, revocations } = setUp(2);
  await revocations.open();
  const issuedAtMs = clock.nowMs();
  for (const id of ["s1", "s2", "s3"]) revocations.add(session(id, clock.nowMs()));
  assert.equal(revocations.isRevoked({ sessionId: "s9", tokenId: "t9", issuedAtMs }), true);
  assert.equal(revocations.isRevoked({ sessionId: null, tokenId: "a publisher's", issuedAtMs }), false);
  await revocations[Symbol.asyncDispose]();
});

test("revocations: who asks during a look sees what was stored before asking, and many share one look", async () => {
  const { clock, rows, revocations, isRevoked } = setUp();
  await revocations.open();
  const { asked } = rows;
  const answer = Promise.withResolvers<void>();
  rows.answers = answer.promise;
  clock.advance(POLL_EVERY_MS);
  rows.rows.push(session("s1", clock.nowMs()));
  const both = [revocations.poll(), revocations.poll()];
  answer.resolve();
  await Promise.all(both);
  assert.equal(isRevoked("s1"), true);
  assert.equal(rows.asked, asked + 2);
  await revocations[Symbol.asyncDispose]();
});

test("revocations: closing stops the looking, also when it is under way", async () => {
  const { clock, rows, revocations } = setUp();
  await revocations.open();
  clock.advance(POLL_EVERY_MS);
  await revocations[Symbol.asyncDispose]();
  await settle();
  assert.equal(clock.timersPending, 0);
  const { asked } = rows;
  clock.advance(10 * POLL_EVERY_MS);
  await settle();
  assert.equal(rows.asked, asked);
});
