import assert from "node:assert/strict";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SystemClock } from "#base/system-clock.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { compileMatcher } from "#protocol/topic-matcher.ts";
import { PersistedHub } from "../../test/helpers/persisted-hub.ts";
import { LOCK_WAIT_MS_MAX } from "./lock-wait.ts";
import { type LogDisk, openLogDisk } from "./log-disk.ts";
import { RETRY_MS, STALLED_MS } from "./log-follower.ts";

const root = mkdtempSync(join(tmpdir(), "streamkeeper-log-"));
after(() => rmSync(root, { recursive: true, force: true }));
const fresh = () => mkdtempSync(join(root, "d"));

const A = compileMatcher("exact", "/a");
const files = (directory: string) =>
  readdirSync(directory)
    .filter((name) => name.endsWith(".events"))
    .sort();
const bytesOf = (directory: string) =>
  files(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);

/** Data of what is read after a cursor; null: no resume from there. */
function read({ hub }: PersistedHub, afterSequence: number, epoch = hub.epoch): string[] | null {
  const reader = epoch === hub.epoch ? hub.openReader([A], afterSequence) : null;
  if (reader === null) return null;
  const data: string[] = [];
  for (let event = reader.next(); event !== null; event = reader.next()) data.push(event.data);
  return data;
}

test("log on disk: after an orderly end everything is there, under the same epoch, life after life", async () => {
  const directory = fresh();
  const expected: string[] = [];
  let epoch = "";
  for (let life = 0; life < 4; life++) {
    const persisted = await PersistedHub.open(directory);
    assert.equal(persisted.recovery.kind, life === 0 ? "none" : "closed");
    if (life > 0) assert.equal(persisted.hub.epoch, epoch);
    assert.deepEqual(read(persisted, 0), expected);
    epoch = persisted.hub.epoch;
    for (let n = 0; n < 5; n++) {
      expected.push(`${life}.${n}`);
      persisted.publish("/a", `${life}.${n}`);
    }
    persisted.hub.publish({ topics: ["/m"], data: `{"l${life}":1}`, state: "merge" });
    await persisted.close(new Map([["quotes", new Map([["AAPL", String(life)]])]]));
  }
  await using last = await PersistedHub.open(directory);
  assert.deepEqual(read(last, 3), expected.slice(3));
  assert.equal(last.hub.stateOf("/m")?.data, '{"l0":1,"l1":1,"l2":1,"l3":1}');
  assert.equal(last.recovery.closing?.cursors.get("quotes")?.get("AAPL"), "3");
});

test("log on disk: killed with all events written, resumes are exact; with one that was not, every cursor is refused", async () => {
  const directory = fresh();
  let epoch: string;
  {
    await using persisted = await PersistedHub.open(directory);
    for (let n = 1; n <= 9; n++) persisted.publish("/a", String(n));
    await persisted.written();
    epoch = persisted.hub.epoch;
  }
  {
    await using again = await PersistedHub.open(directory);
    assert.equal(again.recovery.kind, "level");
    assert.deepEqual(read(again, 4, epoch), ["5", "6", "7", "8", "9"]);
    again.publish("/a", "10");
    await again.written();
    // Given out, and killed before it was written.
    again.publish("/a", "lost");
  }
  await using broken = await PersistedHub.open(directory);
  assert.equal(broken.recovery.kind, "broken");
  assert.notEqual(broken.hub.epoch, epoch);
  assert.deepEqual(
    broken.recovery.events.map(({ publication }) => publication.data),
    ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"],
  );
});

test("log on disk: after a kill, numbers that gaps had are not taken for events", async () => {
  const directory = fresh();
  {
    await using persisted = await PersistedHub.open(directory);
    persisted.publish("/a", "1");
    persisted.hub.markGap(["/a"], false);
    persisted.publish("/b", "3");
    await persisted.written();
  }
  await using again = await PersistedHub.open(directory);
  assert.equal(again.recovery.kind, "level");
  assert.equal(again.hub.head, 3);
  assert.equal(read(again, 1), null);
  assert.deepEqual(read(again, 2), []);
});

test("log on disk: a machine that went down, or one that can't be told from another, breaks what was not closed in order", async () => {
  for (const [before, now] of [
    ["boot", "another"],
    [null, null],
  ] as const) {
    const directory = fresh();
    {
      await using persisted = await PersistedHub.open(directory, { bootId: before });
      persisted.publish("/a");
      await persisted.written();
    }
    const broken = await PersistedHub.open(directory, { bootId: now });
    assert.equal(broken.recovery.kind, "broken");
    await broken.close();
    await using closed = await PersistedHub.open(directory, { bootId: "third" });
    assert.equal(closed.recovery.kind, "closed");
  }
});

test("log on disk: torn anywhere in the last file, or without its mark or closing page, nothing is claimed that is not so", async () => {
  const directory = fresh();
  const persisted = await PersistedHub.open(directory);
  for (let n = 1; n <= 3; n++) persisted.publish("/a", `event ${n}`);
  const { epoch } = persisted.hub;
  await persisted.close();
  const contents = new Map(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name))]));
  const restore = () => {
    for (const name of readdirSync(directory)) rmSync(join(directory, name));
    for (const [name, bytes] of contents) writeFileSync(join(directory, name), bytes);
  };
  const expectBroken = async (kept: number) => {
    await using again = await PersistedHub.open(directory);
    assert.equal(again.recovery.kind, "broken");
    assert.notEqual(again.hub.epoch, epoch);
    assert.equal(again.recovery.events.length, kept);
  };
  const [file] = files(directory) as [string];
  const size = contents.get(file)?.length ?? 0;
  for (let length = 0; length < size; length += 7) {
    restore();
    truncateSync(join(directory, file), length);
    // Three records of one length behind the head.
    await expectBroken(Math.max(0, Math.floor((length - 20) / ((size - 20) / 3))));
  }
  restore();
  rmSync(join(directory, "mark"));
  await expectBroken(3);
  restore();
  rmSync(join(directory, "closing"));
  await expectBroken(3);
  restore();
  truncateSync(join(directory, "closing"), (contents.get("closing")?.length ?? 0) - 1);
  await expectBroken(3);
  restore();
  await using whole = await PersistedHub.open(directory);
  assert.equal(whole.recovery.kind, "closed");
});

test("log on disk: after an orderly end with a file gone from between the others, nothing is called exact", async () => {
  const directory = fresh();
  const persisted = await PersistedHub.open(directory);
  for (let n = 0; n < 4; n++) {
    persisted.publish("/a", "x".repeat(70_000));
    await persisted.written();
  }
  await persisted.close();
  rmSync(join(directory, files(directory)[1] as string));
  await using again = await PersistedHub.open(directory);
  assert.equal(again.recovery.kind, "broken");
  assert.equal(again.recovery.events.length, 2);
});

test("log on disk: files go when the log lets their events go, by bytes under load and by age in quiet times", async () => {
  const directory = fresh();
  const persisted = await PersistedHub.open(directory, { bytesMax: 256 * 1024, ageMaxMs: 60_000 });
  let most = 0;
  for (let round = 0; round < 40; round++) {
    for (let n = 0; n < 100; n++) persisted.publish("/a", "x".repeat(400));
    await persisted.written();
    most = Math.max(most, bytesOf(directory));
  }
  assert.ok(most < 2 * 256 * 1024, String(most));
  assert.equal(persisted.follower.bytes, bytesOf(directory));
  persisted.clock.advance(60_001);
  persisted.hub.evict();
  persisted.follower.look();
  await persisted.close();
  assert.equal(files(directory).length, 1);
  assert.ok(bytesOf(directory) < 100);
  await using again = await PersistedHub.open(directory);
  assert.equal(again.recovery.kind, "closed");
  assert.deepEqual([again.hub.head, read(again, 3999), read(again, 4000)], [4000, null, []]);
});

/** A disk that is full from time to time. */
function failing(disk: LogDisk): { disk: LogDisk; isFull: boolean } {
  const failure = { isFull: false, disk };
  const check = () => {
    if (failure.isFull) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
  };
  failure.disk = {
    segments: () => disk.segments(),
    read: (name) => disk.read(name),
    create: (name, bytes) => {
      check();
      return disk.create(name, bytes);
    },
    append: async (file, bytes) => {
      if (failure.isFull) await disk.append(file, bytes.subarray(0, bytes.length / 2));
      check();
      await disk.append(file, bytes);
    },
    sync: (file) => disk.sync(file),
    close: (file) => disk.close(file),
    truncate: (name, bytes) => disk.truncate(name, bytes),
    remove: (name) => disk.remove(name),
    mark: (bytes, isDurable) => disk.mark(bytes, isDurable),
    write: (name, chunks) => {
      check();
      disk.write(name, chunks);
    },
    [Symbol.dispose]: () => disk[Symbol.dispose](),
  };
  return failure;
}

test("log on disk: a full disk is told once, the log goes on in memory, and when there is space again nothing is missing", async () => {
  const directory = fresh();
  let failure: ReturnType<typeof failing> | null = null;
  const through = (disk: LogDisk) => {
    failure = failing(disk);
    return failure.disk;
  };
  const full = (isFull: boolean) => {
    if (failure !== null) failure.isFull = isFull;
  };
  const persisted = await PersistedHub.open(directory, { through });
  persisted.publish("/a", "1");
  await persisted.written();
  full(true);
  persisted.publish("/a", "2");
  persisted.clock.advance(5);
  await until(() => persisted.follower.isFailing);
  for (let n = 3; n < 9; n++) {
    persisted.publish("/a", String(n));
    persisted.clock.advance(RETRY_MS);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(
    persisted.failures.map(({ code, message }) => [code, /no space left/.test(message)]),
    [["log_write_failed", true]],
  );
  full(false);
  await until(() => {
    persisted.clock.advance(RETRY_MS);
    return !persisted.follower.isFailing;
  });
  assert.equal(persisted.recoveries, 1);
  persisted.publish("/a", "9");
  await persisted.close();
  const again = await PersistedHub.open(directory, { through });
  assert.equal(again.recovery.kind, "closed");
  assert.deepEqual(read(again, 0), ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
  // Full at the end: the next life knows that it does not know.
  again.publish("/a", "10");
  full(true);
  await again.close();
  assert.equal(again.failures.length, 1);
  await using broken = await PersistedHub.open(directory);
  assert.equal(broken.recovery.kind, "broken");
});

test("log on disk: a disk that takes nothing is told after ten seconds, publishing does not wait, and what was let go meanwhile is skipped", async () => {
  const directory = fresh();
  let stuck = Promise.withResolvers<void>();
  const persisted = await PersistedHub.open(directory, {
    bytesMax: 64 * 1024,
    through: (disk) => {
      const { disk: wrapped } = failing(disk);
      return {
        ...wrapped,
        append: async (file, bytes) => {
          await stuck.promise;
          await disk.append(file, bytes);
        },
      };
    },
  });
  for (let n = 1; n <= 1000; n++) {
    persisted.publish("/a", `${n} ${"x".repeat(100)}`);
    persisted.clock.advance(1);
  }
  persisted.clock.advance(STALLED_MS);
  persisted.follower.look();
  persisted.follower.look();
  assert.deepEqual(
    persisted.failures.map(({ code }) => code),
    ["log_stalled"],
  );
  stuck.resolve();
  stuck = Promise.withResolvers();
  stuck.resolve();
  await until(() => {
    persisted.clock.advance(5);
    return persisted.follower.behind === 0 && !persisted.follower.isFailing;
  });
  const held = read(persisted, persisted.hub.evictedThrough);
  assert.ok(held !== null && held.length > 50 && held.length < 1000);
  await persisted.close();
  await using again = await PersistedHub.open(directory, { bytesMax: 64 * 1024 });
  assert.deepEqual(read(again, 1000 - held.length), held);
});

test("log on disk: a directory has one gateway; another waits, and is told", async () => {
  const directory = fresh();
  await using _persisted = await PersistedHub.open(directory);
  const clock = new VirtualClock();
  let hasEnded = false;
  const refused = assert
    .rejects(openLogDisk(directory, clock), { code: "log_locked", message: /another gateway's/ })
    .finally(() => {
      hasEnded = true;
    });
  await until(() => {
    clock.advance(LOCK_WAIT_MS_MAX / 10);
    return hasEnded;
  });
  await refused;
  assert.ok(clock.monotonicMs() >= LOCK_WAIT_MS_MAX);
  await assert.rejects(openLogDisk(join(directory, "lock"), new SystemClock()), { code: "log_directory" });
});

async function until(holds: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 5000;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error("not within 5 s");
    await new Promise((resolve) => setImmediate(resolve));
  }
}
