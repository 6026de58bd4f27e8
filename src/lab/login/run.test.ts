import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WebSocket } from "ws";
import { Gateway } from "#app/gateway.ts";
import { Accounts } from "#auth/accounts.ts";
import { silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import { parseConfig } from "#config/load.ts";
import { openStorage } from "#storage/storage.ts";
import { parseTarget } from "../check/target.ts";
import { type LoginStepReport, testLogin } from "./run.ts";

const clock = new SystemClock();
const directory = mkdtempSync(join(tmpdir(), "streamkeeper-login-"));
const database = `sqlite:${join(directory, "gateway.db")}`;
let gateway: Gateway;

before(async () => {
  const text = `
listen: { port: 0 }
database: "${database}"
auth: { roles: { trader: { subscribe: [/quotes/*], publish: [/chat] } } }
`;
  gateway = await Gateway.open(parseConfig(text, null, {}).config, { log: silentLogger });
  await gateway.addUser("ada", "correct horse", "trader");
});
after(async () => {
  await gateway[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const run = (url: string, password: string, onStep: (step: LoginStepReport) => void = () => {}) =>
  testLogin(parseTarget(url), { user: "ada", password }, 5_000, clock, onStep);

test("login test: signs in both ways, says what is allowed and until when, and leaves no session", async () => {
  const told: string[] = [];
  const report = await run(gateway.url, "correct horse", (step) => told.push(step.name));
  assert.equal(report.ok, true, JSON.stringify(report.steps));
  assert.deepEqual(told, ["http", "identity", "websocket", "sign-out"]);
  assert.equal(report.role, "trader");
  assert.deepEqual(report.subscribe, ["/quotes/*"]);
  assert.deepEqual(report.publish, ["/chat"]);
  assert.ok(Math.abs(Date.parse(report.expiresAt ?? "") - Date.now() - 900_000) < 10_000);
  for (const step of report.steps) assert.ok(step.ms > 0);
  await using storage = await openStorage(database, { clock, logger: silentLogger });
  const revoked = await storage.sessions.revokedSessions({ atMs: 0, id: null }, 10, 86_400_000);
  assert.equal(revoked.length, 2);
});

test("login test: a wrong password fails both ways, and says what to do", async () => {
  const report = await run(gateway.url, "wrong horse");
  assert.equal(report.ok, false);
  assert.deepEqual(
    report.steps.map(({ name, ok }) => [name, ok]),
    [
      ["http", false],
      ["websocket", false],
    ],
  );
  for (const step of report.steps) assert.match(step.advice ?? "", /streamkeeper user passwd/);
  assert.doesNotMatch(JSON.stringify(report), /wrong horse/);
});

test("login test: a gateway that is not there fails, and says what to do", async () => {
  const report = await run("http://127.0.0.1:1", "x");
  assert.equal(report.ok, false);
  for (const step of report.steps) {
    assert.match(step.detail, /refused/);
    assert.match(step.advice ?? "", /listen/i);
  }
});

test("disable in another process: closes the user's live WebSocket connection for good", async () => {
  const socket = new WebSocket(
    `${gateway.url.replace("http", "ws")}/connection/websocket`,
    "centrifuge-json",
  );
  const connect = { id: 1, connect: { data: { login: "ada", password: "correct horse" } } };
  socket.once("open", () => socket.send(JSON.stringify(connect)));
  const [reply] = await new Promise<[string]>((resolve, reject) => {
    socket.once("message", (data) => resolve([String(data)]));
    socket.once("error", reject);
  });
  assert.match(reply, /"role":"trader"/);
  const closed = new Promise<number>((resolve) => socket.once("close", resolve));
  await using storage = await openStorage(database, { clock, logger: silentLogger });
  await new Accounts({ users: storage.users, sessions: storage.sessions, clock }).disable("ada");
  assert.equal(await closed, 3503);
});
