import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { SystemClock } from "#base/system-clock.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { PersistedHub } from "../../test/helpers/persisted-hub.ts";
import { openLogDisk } from "./log-disk.ts";
import { GATHER_MS, RETRY_MS } from "./log-follower.ts";

const root = mkdtempSync(join(tmpdir(), "streamkeeper-log-disk-"));
after(() => rmSync(root, { recursive: true, force: true }));
const fresh = () => mkdtempSync(join(root, "d"));
/** Without the lock, and what SQLite keeps beside it. */
const namesIn = (directory: string) =>
  readdirSync(directory)
    .filter((name) => !name.startsWith("lock"))
    .sort();
const contentsOf = (directory: string) =>
  namesIn(directory).map((name) => [name, readFileSync(join(directory, name), "latin1")]);

test("log's directory: one whose lock was removed, or in whose place another is, is left alone from then on", async () => {
  const losses = [
    (directory: string) => rmSync(join(directory, "lock")),
    (directory: string) => {
      renameSync(directory, `${directory}-moved`);
      mkdirSync(directory);
    },
    (directory: string) => {
      rmSync(directory, { recursive: true });
      mkdirSync(directory);
    },
  ];
  for (const [index, lose] of losses.entries()) {
    const directory = fresh();
    await using first = await PersistedHub.open(directory);
    first.publish("/a", "first's");
    await first.written();
    lose(directory);
    await using second = await PersistedHub.open(directory);
    for (let n = 0; n < 3; n++) second.publish("/a", "second's");
    await second.written();
    const before = contentsOf(directory);
    for (let n = 0; n < 3; n++) {
      first.publish("/a", "x".repeat(70_000));
      for (const ms of [GATHER_MS, RETRY_MS]) {
        first.clock.advance(ms);
        await until("the follower has noticed", () => first.follower.isFailing);
      }
    }
    assert.deepEqual(contentsOf(directory), before, String(index));
    assert.match(first.failures[0]?.message ?? "", /not the directory any more/);
    await first.close();
    assert.deepEqual(contentsOf(directory), before, String(index));
  }
});

test("log's directory: after its end nothing is written there", async () => {
  const directory = fresh();
  const disk = await openLogDisk(directory, new SystemClock());
  const file = disk.create("1.events", Buffer.from("head"));
  disk[Symbol.dispose]();
  await assert.rejects(disk.append(file, Buffer.from("event")));
  disk.close(file);
  assert.throws(() => disk.mark(Buffer.from("mark"), false));
  assert.throws(() => disk.create("2.events", Buffer.from("head")));
  assert.throws(() => disk.write("closing", [Buffer.from("page")]));
  await assert.rejects(disk.remove("1.events"));
  assert.deepEqual(namesIn(directory), ["1.events"]);
});

test("log's directory: on a full disk no segment is left that is not whole, and no mark that is not so", {
  skip: existsSync("/dev/full") ? false : "there is no /dev/full to be a full disk",
}, async () => {
  const directory = fresh();
  using disk = await openLogDisk(directory, new SystemClock());
  symlinkSync("/dev/full", join(directory, "segment.part"));
  assert.throws(() => disk.create("1.events", Buffer.from("head")), { code: "ENOSPC" });
  symlinkSync("/dev/full", join(directory, "mark"));
  assert.throws(() => disk.mark(Buffer.from("level"), false), { code: "ENOSPC" });
  assert.deepEqual(namesIn(directory), ["segment.part"]);
  rmSync(join(directory, "segment.part"));
  disk.close(disk.create("1.events", Buffer.from("head")));
  disk.mark(Buffer.from("level"), false);
  assert.deepEqual(namesIn(directory), ["1.events", "mark"]);
});
