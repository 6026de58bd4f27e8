import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { decodeJwt, decodeProtectedHeader } from "jose";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-commands-"));
const config = join(directory, "streamkeeper.yaml");
writeFileSync(
  config,
  "auth: { roles: { trader: { subscribe: [/quotes/*] }, ingest: { publish: [/news/*] } } }\n",
);
after(() => rmSync(directory, { recursive: true, force: true }));

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

function run(args: readonly string[], input = ""): Promise<{ status: number; out: string; err: string }> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["--conditions=streamkeeper-source", MAIN, ...args, "-c", config],
      { env: { PATH: process.env.PATH } },
      (error, out, err) => resolve({ status: typeof error?.code === "number" ? error.code : 0, out, err }),
    );
    child.stdin?.end(input);
  });
}

test("user: from add to remove, as an operator types it", async () => {
  assert.match((await run(["user", "list"])).out, /no users/);
  const added = await run(["user", "add", "ada", "--role", "trader", "--password-stdin"], "correct horse\n");
  assert.deepEqual([added.status, added.out], [0, "added ada, role trader\n"]);
  assert.equal(statSync(join(directory, "data", "streamkeeper.db")).mode & 0o777, 0o600);

  const twice = await run(["user", "add", "ada", "--role", "trader", "--password-stdin"], "another horse\n");
  assert.equal(twice.status, 1);
  assert.match(twice.err, /there is a user ada already/);

  assert.equal((await run(["user", "disable", "ada"])).status, 0);
  const [user] = JSON.parse((await run(["user", "list", "--json"])).out);
  assert.deepEqual(
    [user.name, user.role, user.disabled, "passwordHash" in user],
    ["ada", "trader", true, false],
  );
  assert.equal((await run(["user", "enable", "ada"])).status, 0);
  assert.match((await run(["user", "list"])).out, /ada +trader +enabled/);
  assert.equal((await run(["user", "passwd", "ada", "--password-stdin"], "a better horse\n")).status, 0);
  assert.equal((await run(["user", "remove", "ada"])).status, 0);
  const gone = await run(["user", "remove", "ada"]);
  assert.equal(gone.status, 1);
  assert.match(gone.err, /no user "ada"/);
});

test("user, bad usage: exit status 2, and the message says what is taken", async () => {
  const cases: [args: string[], input: string, says: RegExp][] = [
    [
      ["user", "add", "bob", "--role", "nope", "--password-stdin"],
      "correct horse",
      /there are: trader, ingest/,
    ],
    [["user", "add", "bob", "--role", "trader", "--password-stdin"], "short", /at least 8 characters/],
    [["user", "add", "bob", "--role", "trader"], "correct horse", /--password-stdin/],
    [
      ["user", "add", "bob smith", "--role", "trader", "--password-stdin"],
      "correct horse",
      /letters, digits/,
    ],
    [["user", "add", "bob", "correct horse", "--role", "trader"], "", /too many arguments/],
    [["user", "add", "bob"], "", /--role/],
  ];
  const results = await Promise.all(cases.map(([args, input]) => run(args, input)));
  for (const [at, result] of results.entries()) {
    assert.equal(result.status, 2, result.err);
    assert.match(result.err, cases[at]?.[2] ?? /^$/);
  }
});

test("token: several at once on a database that is not there yet all wait for each other, and share one key", async () => {
  rmSync(join(directory, "data"), { recursive: true, force: true });
  const results = await Promise.all(Array.from({ length: 4 }, () => run(["token", "--role", "ingest"])));
  const kids = results.map(({ status, out, err }) => {
    assert.equal(status, 0, err);
    return decodeProtectedHeader(out.trim()).kid;
  });
  assert.equal(new Set(kids).size, 1);
});

test("token: prints a token of the role, that no user can be mistaken for, and only that", async () => {
  const [plain, json] = await Promise.all([
    run(["token", "--role", "ingest", "--ttl", "2h"]),
    run(["token", "--role", "ingest", "--name", "importer", "--json"]),
  ]);
  assert.match(plain.out, /^[\w-]+\.[\w-]+\.[\w-]+\n$/);
  const claims = decodeJwt(plain.out.trim());
  assert.deepEqual([claims.sub, claims.role, claims.sid], ["token:ingest", "ingest", undefined]);
  assert.equal((claims.exp ?? 0) - (claims.iat ?? 0), 7200);
  const answer = JSON.parse(json.out);
  assert.deepEqual([answer.sub, answer.token_type, answer.expires_in], ["token:importer", "Bearer", 86_400]);
});
