import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { test } from "node:test";
import { ListenError, type ListenErrorCode, Listener } from "#app/listener.ts";
import { AccountError, type AccountErrorCode, Accounts } from "#auth/accounts.ts";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { Hub, TopicRefused } from "#hub/hub.ts";
import { parseTarget } from "#lab/check/target.ts";
import { checkPlan } from "#lab/load/plan.ts";
import { compileMatcher } from "#protocol/topic-matcher.ts";
import { storageErrorOf } from "#storage/sqlite-errors.ts";
import { openStorage } from "#storage/storage.ts";

/** Codes of what goes wrong before or beside clients, each by a way to it. */

/** Addresses at which listening fails, each for its cause. */
const PLACES: Readonly<Record<ListenErrorCode, (taken: number) => { host: string; port: number }>> = {
  port_in_use: (taken) => ({ host: "127.0.0.1", port: taken }),
  port_forbidden: () => ({ host: "127.0.0.1", port: 1 }),
  address_unavailable: () => ({ host: "192.0.2.1", port: 0 }),
  // A multicast address without a network interface.
  listen_failed: () => ({ host: "ff02::1", port: 0 }),
};

for (const [code, placeOf] of Object.entries(PLACES)) {
  const skip =
    code === "port_forbidden" && !hasForbiddenPorts() ? "every port may be listened on here" : false;
  test(`listening: ${code} is what the start ends with, and says what to do`, { skip }, async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { host, port } = placeOf((other.address() as { port: number }).port);
    try {
      await using listener = new Listener({
        host,
        port,
        tls: null,
        http2: false,
        clock: new VirtualClock(),
        sessionsMax: () => 1,
        keepAliveMs: () => 1000,
      });
      const isSo = (error: unknown) => error instanceof ListenError && error.code === code;
      await asNobody(() => assert.rejects(listener.open(), isSo));
    } finally {
      other.close();
    }
  });
}

/** Runs as somebody without privileges, if it is somebody with them who runs the tests. */
async function asNobody(run: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return await run();
  process.seteuid?.(65_534);
  try {
    await run();
  } finally {
    process.seteuid?.(0);
  }
}

/** Where even the lowest ports are anybody's nothing is forbidden. */
function hasForbiddenPorts(): boolean {
  try {
    return Number(readFileSync("/proc/sys/net/ipv4/ip_unprivileged_port_start", "utf8")) > 1;
  } catch {
    return true;
  }
}

test("users: each fault of an operator's request has its code", async () => {
  const clock = new VirtualClock();
  await using storage = await openStorage("sqlite::memory:", { clock, logger: silentLogger });
  const accounts = new Accounts({ users: storage.users, sessions: storage.sessions, clock });
  await accounts.add("ann", "a password", "trader");
  const faults: Readonly<Record<AccountErrorCode, () => Promise<void>>> = {
    user_exists: () => accounts.add("ann", "another", "trader"),
    user_unknown: () => accounts.disable("bob"),
    user_name: () => accounts.add("no spaces", "a password", "trader"),
    user_password: () => accounts.add("bob", "", "trader"),
  };
  for (const [code, fault] of Object.entries(faults)) {
    await assert.rejects(fault, (error) => error instanceof AccountError && error.code === code, code);
  }
});

test("usage: an address that is no gateway's, authorities that are none, and an impossible load have their codes", () => {
  assert.throws(() => parseTarget("ftp://x"), { code: "bad_url" });
  assert.throws(() => parseTarget("https://x", "/no/such/file.pem"), { code: "bad_ca" });
  assert.throws(() => checkPlan({ server: "mercure", websocket: 1 } as never), { code: "bad_plan" });
});

test("topics: one whose feed is full is refused with topic_refused", () => {
  const hub = new Hub({
    epoch: "e",
    log: { bytesMax: 2 ** 20, ageMaxMs: 1000 },
    stateBytesMax: 2 ** 20,
    nowMs: () => 0,
    demand: { wanted: () => "full", unwanted() {} },
  });
  assert.throws(
    () => hub.subscribe({ deliver() {}, gap() {} }, compileMatcher("exact", "/x")),
    (error) => error instanceof TopicRefused && error.code === "topic_refused",
  );
});

/** A server that speaks just enough of PostgreSQL's protocol to refuse everybody. */
async function refusing(sqlState: string) {
  const server = createServer((socket) => {
    const fields = ["SERROR", `C${sqlState}`, "Mit says no", ""].join("\0");
    socket.on("error", () => {});
    socket.once("data", () => {
      const body = Buffer.from(`${fields}\0`);
      const head = Buffer.from([0x45, 0, 0, 0, 0]);
      head.writeUInt32BE(body.length + 4, 1);
      socket.end(Buffer.concat([head, body]));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

for (const [code, sqlState] of [
  ["database_refused", "28P01"],
  ["database_failed", "0A000"],
] as const) {
  test(`database: ${code} is what a PostgreSQL server's ${sqlState} means`, async () => {
    const server = await refusing(sqlState);
    try {
      const url = `postgres://ann@127.0.0.1:${(server.address() as { port: number }).port}/x`;
      const opening = openStorage(url, { clock: new VirtualClock(), logger: silentLogger });
      await assert.rejects(opening, { code });
    } finally {
      server.close();
    }
  });
}

test("database: database_full is what SQLite's full disk means, and a failing one", () => {
  for (const errcode of [13, 10, 10 | (3 << 8)]) {
    const error = Object.assign(new Error("disk I/O error"), { code: "ERR_SQLITE_ERROR", errcode });
    assert.equal((storageErrorOf(error, "x.db") as { code: string }).code, "database_full");
  }
});
