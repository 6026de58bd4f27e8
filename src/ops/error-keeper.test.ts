import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import type { ErrorEntry, ErrorGroupRecord } from "./error-groups.ts";
import { ErrorKeeper, type ErrorStore } from "./error-keeper.ts";

const BUSY: ErrorEntry = { kind: "error", room: "storage", code: "SQLITE_BUSY", peer: "", sample: "busy" };

/** A store in memory that can fail, and that answers only when it is let go on. */
class HeldStore implements ErrorStore {
  readonly saves: (readonly ErrorGroupRecord[])[] = [];
  stored: readonly ErrorGroupRecord[] = [];
  prunedBeforeMs = 0;
  fault: Error | null = null;
  gate: Promise<void> = Promise.resolve();
  saving = 0;
  savingPeak = 0;

  async load(): Promise<readonly ErrorGroupRecord[]> {
    if (this.fault !== null) throw this.fault;
    return this.stored;
  }
  async saveAll(groups: readonly ErrorGroupRecord[]): Promise<void> {
    this.savingPeak = Math.max(this.savingPeak, ++this.saving);
    await this.gate;
    this.saving--;
    if (this.fault !== null) throw this.fault;
    this.saves.push(groups);
  }
  async prune(beforeMs: number): Promise<number> {
    this.prunedBeforeMs = beforeMs;
    return 0;
  }
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

async function opened(store = new HeldStore()) {
  const clock = new VirtualClock();
  const warnings: object[] = [];
  const log = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
  return { store, clock, warnings, keeper: await ErrorKeeper.open(store, { clock, log }) };
}

test("error keeper: what was known is there again, and what is a month old is forgotten", async () => {
  const store = new HeldStore();
  store.stored = [{ ...BUSY, count: 4, firstAtMs: 1, lastAtMs: 2 }];
  const { keeper, clock } = await opened(store);
  assert.equal(keeper.groups.total, 4);
  assert.equal(store.prunedBeforeMs, clock.nowMs() - 30 * 86_400_000);
  await keeper[Symbol.asyncDispose]();
  assert.deepEqual(store.saves, [], "nothing has changed");
});

test("error keeper: what has changed is saved every ten seconds, once", async () => {
  const { store, clock, keeper } = await opened();
  keeper.groups.add(BUSY, clock.nowMs());
  clock.advance(9999);
  assert.equal(store.saving, 0);
  clock.advance(1);
  await settled();
  assert.equal(store.saves.length, 1);
  assert.equal(store.saves[0]?.[0]?.count, 1);
  clock.advance(10_000);
  await settled();
  assert.equal(store.saves.length, 1, "nothing new");
  await keeper[Symbol.asyncDispose]();
});

test("error keeper: a save that takes long is waited for, so that there is never more than one", async () => {
  const { store, clock, keeper } = await opened();
  const gate = Promise.withResolvers<void>();
  store.gate = gate.promise;
  keeper.groups.add(BUSY, clock.nowMs());
  clock.advance(10_000);
  keeper.groups.add(BUSY, clock.nowMs());
  clock.advance(60_000);
  assert.equal(store.saving, 1);
  const over = keeper[Symbol.asyncDispose]();
  gate.resolve();
  await over;
  assert.equal(store.savingPeak, 1);
  assert.deepEqual(
    store.saves.map(([group]) => group?.count),
    [1, 2],
    "the end saves what came meanwhile",
  );
  assert.equal(clock.timersPending, 0);
});

test("error keeper: what could not be saved is saved later, and the log tells of it once", async () => {
  const { store, clock, keeper, warnings } = await opened();
  store.fault = new Error("the disk is full");
  keeper.groups.add(BUSY, clock.nowMs());
  for (let n = 0; n < 3; n++) {
    clock.advance(10_000);
    await settled();
  }
  assert.equal(warnings.length, 1);
  store.fault = null;
  clock.advance(10_000);
  await settled();
  assert.equal(store.saves[0]?.[0]?.count, 1);
  await keeper[Symbol.asyncDispose]();
});

test("error keeper: a database that can't be read leaves the groups empty, and is told of", async () => {
  const store = new HeldStore();
  store.fault = new Error("no such table");
  const { keeper, warnings } = await opened(store);
  assert.equal(keeper.groups.size, 0);
  assert.equal(warnings.length, 1);
  await keeper[Symbol.asyncDispose]();
});
