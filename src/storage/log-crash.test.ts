import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileMatcher } from "#protocol/topic-matcher.ts";
import { PersistedHub } from "../../test/helpers/persisted-hub.ts";
import { type DiskFault, SimulatedLogDisk } from "../../test/helpers/simulated-log-disk.ts";
import { MARK_FILE } from "./log-disk.ts";
import { CLOSE_MS_MAX, GATHER_MS, RETRY_MS } from "./log-follower.ts";
import { decodeMark } from "./log-mark.ts";
import type { RecoveryKind } from "./log-recovery.ts";

const A = compileMatcher("exact", "/a");
const OPTIONS = { bytesMax: 256 * 1024, ageMaxMs: 60_000 };

/** What a kill at one moment leaves, and what clients had by then. */
interface Moment {
  readonly contents: ReadonlyMap<string, Buffer>;
  /** The last number that was given out. */
  readonly head: number;
  /** Events that were given out, and the last gap's number. */
  readonly events: number;
  readonly gap: number;
}

/** A life of a log whose every moment is kept. */
class Life {
  readonly disk: SimulatedLogDisk;
  readonly moments: Moment[] = [];
  readonly given: { readonly sequence: number; readonly data: string }[] = [];
  #gap = 0;
  #head = 0;
  readonly persisted: PersistedHub;

  private constructor(disk: SimulatedLogDisk, persisted: PersistedHub) {
    this.disk = disk;
    this.persisted = persisted;
    disk.isSlow = true;
    disk.changed = () => this.#keep();
    this.#keep();
  }

  static async begin(): Promise<Life> {
    const disk = new SimulatedLogDisk();
    return new Life(disk, await PersistedHub.open(disk, OPTIONS));
  }

  publish(bytes: number): void {
    const data = `${this.given.length} ${"x".repeat(bytes)}`;
    const { sequence } = this.persisted.hub.publish({ topics: ["/a"], data });
    this.given.push({ sequence, data });
    this.#head = sequence;
    this.#keep();
  }

  gap(): void {
    this.persisted.hub.markGap(["/a"], false);
    this.#head = this.persisted.hub.head;
    this.#gap = this.#head;
    this.#keep();
  }

  /** Time goes on, and what follows from it. */
  async pass(ms: number): Promise<void> {
    const { clock, hub, follower } = this.persisted;
    clock.advance(ms);
    hub.evict();
    follower.look();
    await turn();
  }

  /** Ends some of what the disk has under way. */
  async steps(count: number): Promise<void> {
    for (let step = 0; step < count && this.disk.step(); step++) await turn();
  }

  /** The disk works again: what is missing has to be written without anybody's help. */
  async mend(): Promise<void> {
    this.disk.fault = null;
    for (let round = 0; round < 20 && !this.persisted.follower.isLevel; round++) {
      this.persisted.clock.advance(RETRY_MS);
      await turn();
      await this.steps(1000);
    }
    assert.ok(this.persisted.follower.isLevel, "written again");
    assert.equal(this.persisted.follower.behind, 0);
    assert.equal(this.persisted.follower.isFailing, false);
    assert.equal(this.disk.descriptorsOpen, 1);
  }

  async close(): Promise<void> {
    const closed = this.persisted.close();
    for (let round = 0; round < 20; round++) {
      await turn();
      await this.steps(1000);
    }
    await closed;
    this.#keep();
  }

  #keep(): void {
    const { disk, given } = this;
    this.moments.push({
      contents: disk.contents(),
      head: this.#head,
      events: given.length,
      gap: this.#gap,
    });
  }

  /** Whatever is called exact after a kill at any moment is exact. Answers how each life after it began. */
  async check(): Promise<RecoveryKind[]> {
    const kinds: RecoveryKind[] = [];
    for (const moment of this.moments) kinds.push(await this.#checkMoment(moment));
    return kinds;
  }

  /** Whether the next life is itself killed at any moment while it begins, too. */
  async #checkMoment(moment: Moment, isNextKilled = true): Promise<RecoveryKind> {
    const disk = new SimulatedLogDisk(moment.contents);
    const beginning: ReadonlyMap<string, Buffer>[] = [];
    disk.changed = () => void (isNextKilled && beginning.push(disk.contents()));
    await using next = await PersistedHub.open(disk, OPTIONS);
    disk.changed = () => {};
    for (const contents of beginning) await this.#checkMoment({ ...moment, contents }, false);
    if (next.hub.epoch === this.persisted.hub.epoch) this.#checkResumes(next, moment);
    return next.recovery.kind;
  }

  #checkResumes(next: PersistedHub, { head, events, gap }: Moment): void {
    assert.ok(next.hub.head >= head, `numbers through ${head} are given away again, from ${next.hub.head}`);
    const coming = ["new 0", "new 1", "new 2"];
    for (const data of coming) next.publish("/a", data);
    for (let cursor = 0; cursor <= head; cursor++) {
      const reader = next.hub.openReader([A], cursor);
      if (reader === null) continue;
      assert.ok(cursor >= gap, `a resume from ${cursor} is not exact, with a gap at ${gap}`);
      const read: string[] = [];
      for (let event = reader.next(); event !== null; event = reader.next()) read.push(event.data);
      const missed = this.given.slice(0, events).filter(({ sequence }) => sequence > cursor);
      const expected = [...missed.map(({ data }) => data), ...coming];
      assert.deepEqual(read.map(brief), expected.map(brief), `after ${cursor}, ${next.recovery.kind}`);
    }
  }
}

test("log on disk: a log that is level and whose disk fails in quiet times is not called level with the next event", async () => {
  for (const operation of ["create", "sync", "remove", "mark", "all"] as const) {
    const life = await Life.begin();
    for (let n = 0; n < 3; n++) life.publish(1);
    await life.mend();
    life.disk.fault = { of: operation, code: "ENOSPC", isLate: false };
    await life.pass(OPTIONS.ageMaxMs + 1);
    await life.steps(1000);
    assert.equal(life.persisted.failures.length, 1, operation);
    life.publish(1);
    life.publish(1);
    assert.equal((await life.check()).at(-1), "broken", operation);
    await life.mend();
    assert.equal((await life.check()).at(-1), "level", operation);
  }
});

test("log on disk: while a cycle runs whose mark can't be written, no other begins, and there is one timer", async () => {
  const life = await Life.begin();
  const { follower, clock } = life.persisted;
  life.publish(1);
  await life.mend();
  // A cycle from level, which waits for the disk.
  await life.pass(OPTIONS.ageMaxMs + 1);
  await life.pass(1000);
  assert.equal(life.disk.waiting, 1);
  life.disk.fault = { of: "mark", code: "EIO", isLate: false };
  life.publish(1);
  assert.equal(follower.isFailing, true);
  for (const ms of [GATHER_MS, RETRY_MS, RETRY_MS]) {
    await life.pass(ms);
    assert.ok(clock.timersPending <= 1);
  }
  life.publish(1);
  await life.steps(1000);
  assert.equal(clock.timersPending, 1);
  await life.mend();
  assert.equal(clock.timersPending, 0);
  assert.equal((await life.check()).at(-1), "level");
});

test("log on disk: a mark that can be neither written nor removed is tried again with each cycle", async () => {
  const disk = new SimulatedLogDisk();
  let isStuck = false;
  const mark = disk.mark.bind(disk);
  disk.mark = (bytes, isDurable) => {
    if (isStuck) throw new Error("read-only file system");
    mark(bytes, isDurable);
  };
  const says = () => decodeMark(disk.read(MARK_FILE) as Buffer)?.state;
  await using persisted = await PersistedHub.open(disk, OPTIONS);
  isStuck = true;
  persisted.publish("/a");
  assert.deepEqual([persisted.failures.length, says()], [1, "level"]);
  persisted.clock.advance(GATHER_MS);
  await turn();
  assert.equal(says(), "level");
  isStuck = false;
  disk.isSlow = true;
  persisted.clock.advance(RETRY_MS);
  // The first thing, while nothing is written yet.
  const first = says();
  disk.isSlow = false;
  while (disk.step()) await turn();
  assert.deepEqual([first, says(), persisted.recoveries], ["behind", "level", 1]);
  assert.ok(persisted.follower.isLevel);
});

test("log on disk: an end that took too long changes nothing afterwards, when the directory may be another's", async () => {
  const life = await Life.begin();
  const { disk, persisted } = life;
  life.publish(1);
  disk.fault = { of: "append", code: "ENOSPC", isLate: false };
  await life.pass(GATHER_MS);
  await life.steps(1);
  assert.equal(persisted.follower.isFailing, true);
  disk.fault = null;
  const closed = persisted.close();
  await turn();
  // The first of the old files is being removed.
  persisted.clock.advance(CLOSE_MS_MAX);
  await closed;
  const mark = disk.read(MARK_FILE);
  await life.steps(1000);
  assert.deepEqual([...disk.contents().keys()], ["mark"]);
  assert.equal(disk.read(MARK_FILE), mark);
  assert.equal(disk.descriptorsOpen, 0);
  assert.equal(persisted.clock.timersPending, 0);
  assert.equal((await life.check()).at(-1), "broken");
});

test("log on disk: killed at any moment, whatever has failed before, it never calls a resume exact that is not", async () => {
  const fault = fc.record<DiskFault>({
    of: fc.constantFrom("create", "append", "sync", "remove", "mark", "write", "segments", "all"),
    code: fc.constantFrom("ENOSPC", "EACCES", "EIO"),
    isLate: fc.boolean(),
  });
  const action = fc.oneof(
    { weight: 4, arbitrary: fc.record({ publish: fc.constantFrom(1, 1, 1, 70_000) }) },
    { weight: 1, arbitrary: fc.constant({ gap: true } as const) },
    { weight: 4, arbitrary: fc.record({ pass: fc.constantFrom(GATHER_MS, GATHER_MS, RETRY_MS, 61_000) }) },
    { weight: 6, arbitrary: fc.record({ steps: fc.integer({ min: 1, max: 4 }) }) },
    { weight: 2, arbitrary: fc.record({ fault: fc.option(fault, { nil: null }) }) },
    { weight: 1, arbitrary: fc.constant({ mend: true } as const) },
  );
  const seen = new Map<RecoveryKind, number>();
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 5, maxLength: 30 }),
      fc.option(fault, { nil: null }),
      async (actions, atEnd) => {
        const life = await Life.begin();
        for (const each of actions) {
          if ("publish" in each) life.publish(each.publish);
          else if ("gap" in each) life.gap();
          else if ("pass" in each) await life.pass(each.pass);
          else if ("steps" in each) await life.steps(each.steps);
          else if ("fault" in each) life.disk.fault = each.fault;
          else await life.mend();
          assert.ok(life.persisted.clock.timersPending <= 1, "one timer");
        }
        if (atEnd === null) await life.mend();
        life.disk.fault = atEnd;
        await life.close();
        const kinds = await life.check();
        if (atEnd === null) assert.equal(kinds.at(-1), "closed");
        for (const kind of kinds) seen.set(kind, (seen.get(kind) ?? 0) + 1);
      },
    ),
    { numRuns: 200 },
  );
  for (const kind of ["closed", "level", "broken"] as const) assert.ok((seen.get(kind) ?? 0) > 0, kind);
});

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function brief(data: string): string {
  return data.slice(0, 10);
}
