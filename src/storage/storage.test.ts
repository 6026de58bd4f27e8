import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { after, test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { LOCK_WAIT_MS_MAX } from "./lock-wait.ts";
import { openStorage } from "./storage.ts";
import { StorageError, type StorageErrorCode } from "./storage-error.ts";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-storage-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const open = (url: string) => openStorage(url, { clock: new SystemClock(), logger: silentLogger });

async function refused(url: string, code: StorageErrorCode, says: RegExp): Promise<void> {
  await assert.rejects(open(url), (error) => {
    assert.ok(error instanceof StorageError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, says);
    return true;
  });
}

test("SQLite: a missing directory is made for its owner alone, and so is the file with its companions", async () => {
  const file = join(directory, "made", "deeper", "gateway.db");
  await using storage = await open(`sqlite:${file}`);
  await storage.users.add({
    name: "a",
    passwordHash: "h",
    role: "r",
    disabled: false,
    createdMs: 1,
    updatedMs: 1,
  });
  assert.equal(statSync(join(directory, "made", "deeper")).mode & 0o777, 0o700);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(`${file}-wal`).mode & 0o777, 0o600);
});

test("SQLite: what was kept is there after closing and opening again", async () => {
  const url = `sqlite:${join(directory, "again.db")}`;
  const first = await open(url);
  await first.users.add({
    name: "a",
    passwordHash: "h",
    role: "r",
    disabled: false,
    createdMs: 1,
    updatedMs: 1,
  });
  await first.close();
  await first.close();
  assert.deepEqual(first.connections(), { active: 0, idle: 0, waiting: 0 });
  await using second = await open(url);
  assert.equal((await second.users.find("a"))?.role, "r");
  assert.deepEqual(second.connections(), { active: 0, idle: 1, waiting: 0 });
});

test("SQLite: two processes may open a new file at the same time", async () => {
  const url = `sqlite:${join(directory, "both.db")}`;
  const both = await Promise.all([open(url), open(url), open(url)]);
  for (const storage of both) assert.deepEqual(await storage.users.list({ limit: 1 }), []);
  for (const storage of both) await storage.close();
});

test("SQLite: a file that is no database is left as it is, and named", async () => {
  const file = join(directory, "notes.txt");
  writeFileSync(file, "These are my notes, and not a database. ".repeat(200));
  await refused(`sqlite:${file}`, "database_not_one", /notes\.txt is not an SQLite database/);
  assert.ok(statSync(file).size === 8000);
});

test("SQLite: a directory in the file's place, and a file in the directory's, are named", async () => {
  mkdirSync(join(directory, "folder"));
  await refused(`sqlite:${join(directory, "folder")}`, "database_unreadable", /folder is a directory/);
  writeFileSync(join(directory, "plain"), "");
  await refused(
    `sqlite:${join(directory, "plain", "x.db")}`,
    "database_missing",
    /is a file, not a directory/,
  );
});

/** Root may read and write everything, so it steps down for the time of `run`. */
async function asNobody(run: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return run();
  process.seteuid?.(65534);
  try {
    await run();
  } finally {
    process.seteuid?.(0);
  }
}

test("SQLite: a file that may not be read, or not written, is named, with what to do", async () => {
  chmodSync(directory, 0o755);
  const file = join(directory, "secret.db");
  writeFileSync(file, "");
  chmodSync(file, 0o000);
  await asNobody(() =>
    refused(`sqlite:${file}`, "database_unreadable", /secret\.db.*let this user read and write/),
  );
  chmodSync(file, 0o444);
  // The owner's own mode is put right; another's is not.
  if (process.geteuid?.() === 0) {
    await asNobody(() =>
      refused(`sqlite:${file}`, "database_read_only", /secret\.db cannot be written: let this user/),
    );
  }
});

test("SQLite: a directory that may not be searched, or not written, is named, with what to do", async () => {
  mkdirSync(join(directory, "closed"), { mode: 0o000 });
  mkdirSync(join(directory, "fixed"), { mode: 0o555 });
  await asNobody(async () => {
    await refused(
      `sqlite:${join(directory, "closed", "x.db")}`,
      "database_unreadable",
      /let this user read and write/,
    );
    await refused(
      `sqlite:${join(directory, "fixed", "x.db")}`,
      "database_unreadable",
      /let this user read and write/,
    );
  });
});

test("SQLite: a database of a newer version is refused, and stays as it is", async () => {
  const file = join(directory, "newer.db");
  await (await open(`sqlite:${file}`)).close();
  const raw = new DatabaseSync(file);
  raw.exec("insert into kysely_migration (name, timestamp) values ('9999-from-the-future', '2030')");
  raw.close();
  await refused(`sqlite:${file}`, "database_newer", /newer version of streamkeeper.*9999-from-the-future/);
});

test("SQLite: another process's lock is waited for without blocking, then told", async () => {
  const file = join(directory, "locked.db");
  const clock = new VirtualClock();
  await using storage = await openStorage(`sqlite:${file}`, { clock, logger: silentLogger });
  const other = new DatabaseSync(file);
  other.exec("begin immediate");
  const user = { name: "a", passwordHash: "h", role: "r", disabled: false, createdMs: 1, updatedMs: 1 };

  const turns = async (): Promise<void> => {
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  };
  const adding = storage.users.add(user);
  await turns();
  assert.equal(clock.timersPending, 1);
  other.exec("rollback");
  clock.advance(100);
  assert.equal(await adding, true);

  other.exec("begin immediate");
  const failing = assert.rejects(storage.users.remove("a"), {
    code: "database_locked",
    message: /locked\.db is locked/,
  });
  for (let waitedMs = 0; waitedMs <= LOCK_WAIT_MS_MAX; waitedMs += 25) {
    await turns();
    clock.advance(25);
  }
  await failing;
  other.exec("rollback");
  other.close();
});

test("openStorage: a URL of no known kind is refused with what to write", async () => {
  await refused("mysql://localhost/x", "database_url", /sqlite:FILE or postgres:/);
  await refused("sqlite:", "database_url", /names no file/);
});

test("PostgreSQL: a server that does not answer is named without user or password", async () => {
  await assert.rejects(open("postgres://ada:hunter2@127.0.0.1:1/db"), (error: Error & { code: string }) => {
    assert.equal(error.code, "database_unreachable");
    assert.match(error.message, /127\.0\.0\.1:1/);
    assert.doesNotMatch(error.message, /hunter2|ada/);
    return true;
  });
});
