import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { Kysely, sql } from "kysely";
import { VirtualClock } from "#base/virtual-clock.ts";
import { SilentPostgres } from "../../test/helpers/silent-postgres.ts";
import { openPostgres } from "./postgres-database.ts";
import type { Tables } from "./schema.ts";

/** As openPostgres, on a server that takes in and says nothing more. */
async function openOn(server: SilentPostgres, answerTimeoutMs: number) {
  const clock = new VirtualClock();
  const idleErrors: string[] = [];
  const opened = await openPostgres(server.url, {
    clock,
    onIdleError: (error) => idleErrors.push(error.message),
    answerTimeoutMs,
  });
  const db = new Kysely<Tables>({ dialect: opened.dialect });
  const ask = () => sql`select 1`.execute(db);
  return { ...opened, clock, db, ask, idleErrors };
}

test("PostgreSQL: a statement that a silent server does not answer fails, and its connection is not lent out again", async () => {
  await using server = await SilentPostgres.open();
  const { ask, db, pool } = await openOn(server, 20);
  await assert.rejects(ask(), /timeout/i);
  assert.equal(pool.totalCount, 0);
  await assert.rejects(ask(), /timeout/i);
  assert.equal(server.taken, 2);
  await db.destroy();
});

test("PostgreSQL: a transaction that a silent server does not answer waits once, not again for its rollback", async () => {
  await using server = await SilentPostgres.open();
  const { db, pool } = await openOn(server, 20);
  await assert.rejects(
    db.transaction().execute(async () => {}),
    /timeout/i,
  );
  assert.equal(pool.totalCount, 0);
  await db.destroy();
});

test("PostgreSQL: a server that goes away in the middle of a statement fails that statement, and nothing else", async () => {
  await using server = await SilentPostgres.open();
  server.isRude = true;
  const { ask, db, pool, idleErrors } = await openOn(server, 60_000);
  await assert.rejects(ask(), /terminated/);
  assert.equal(pool.totalCount, 0);
  assert.deepEqual(idleErrors, []);
  await assert.rejects(ask(), /terminated/);
  assert.equal(server.taken, 2);
  await db.destroy();
});

test("PostgreSQL: given up, whoever waits is told at once, and so is whoever asks later", async () => {
  await using server = await SilentPostgres.open();
  const { ask, db, abandon } = await openOn(server, 60_000);
  // More than there are connections: some wait for one.
  const asked = Array.from({ length: 12 }, () => assert.rejects(ask(), /waited for no longer/));
  await new Promise((resolve) => setImmediate(resolve));
  abandon();
  await Promise.all(asked);
  await assert.rejects(ask(), /waited for no longer/);
  await db.destroy();
});

test("PostgreSQL: closing does not wait for a goodbye that a silent server does not answer", async () => {
  await using server = await SilentPostgres.open();
  const { clock, db, pool, ask, abandon } = await openOn(server, 60_000);
  // Kysely closes what it has used.
  const asked = assert.rejects(ask());
  await new Promise((resolve) => setImmediate(resolve));
  const idle = await pool.connect();
  const gone = once(idle, "end");
  idle.release();
  abandon();
  await asked;
  await db.destroy();
  clock.advance(1_000);
  await gone;
  assert.equal(clock.timersPending, 0);
});
