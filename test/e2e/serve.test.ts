import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { EXPECTED_FAULTS } from "../fixtures/config/expected.ts";
import { Program, run } from "../helpers/program.ts";
import { SseClient } from "../helpers/sse-client.ts";

const FIXTURES = new URL("../fixtures/config/", import.meta.url).pathname;
const TLS = new URL("../fixtures/tls/", import.meta.url).pathname;
const directory = mkdtempSync(join(tmpdir(), "streamkeeper-serve-"));
after(() => rmSync(directory, { recursive: true, force: true }));

function configFile(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  return file;
}

test("serve: each of twenty broken configurations ends it with status 2 and names every fault", async () => {
  const names = readdirSync(FIXTURES).filter((name) => /^\d\d-.*\.yaml$/.test(name));
  assert.equal(names.length, 20);
  for (const name of names) {
    const file = join(FIXTURES, name);
    const { status, stderr } = await run(["serve", "-c", file], { cwd: directory });
    assert.equal(status, 2, `${name}: ${stderr}`);
    const lines = stderr.trimEnd().split("\n");
    const expected = EXPECTED_FAULTS[name] as readonly string[];
    assert.equal(lines.length, expected.length, stderr);
    for (const [index, line] of lines.entries())
      assert.ok(line.startsWith(`${file}:${expected[index]}`), line);
  }
});

test("serve: with no configuration at all it runs on loopback with SQLite, and drains on SIGTERM with status 0", async () => {
  const home = mkdtempSync(join(directory, "home-"));
  await using program = new Program(["serve", "-c", configFile("minimal.yaml", "listen: { port: 0 }\n")], {
    cwd: home,
  });
  const [, url] = await program.printed(/"url":"(http:\/\/127\.0\.0\.1:\d+)"/);
  const ready = await fetch(`${url}/readyz`);
  assert.equal(ready.status, 200);
  program.child.kill("SIGTERM");
  const { status, signal } = await program.finished;
  assert.deepEqual([status, signal], [0, null]);
});

test("serve: a drain ends open streams with a time to come back, and exits before its deadline", async () => {
  const file = configFile(
    "drain.yaml",
    `listen: { port: 0 }\nauth: { anonymous: { subscribe: [/public/*] } }\ndatabase: "sqlite::memory:"\ndrain: { timeout: 5s }\n`,
  );
  await using program = new Program(["serve", "-c", file], { cwd: directory });
  const [, url] = (await program.printed(/"url":"(http:[^"]+)"/)) as unknown as [string, string];
  using client = await new SseClient(url, "match=/public/x").opened();
  assert.equal(client.status, 200);
  program.child.kill("SIGTERM");
  await client.ended();
  assert.match(client.body, /^retry: \d+$/m);
  assert.equal((await program.finished).status, 0);
  assert.match(program.stderr, /"reason":"shutdown"/);
});

test("serve: a port in use is said so, with what to do", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const { port } = other.address() as { port: number };
  const file = configFile("port.yaml", `listen: { port: ${port} }\ndatabase: "sqlite::memory:"\n`);
  const { status, stderr } = await run(["serve", "-c", file], { cwd: directory });
  other.close();
  assert.equal(status, 1);
  assert.match(stderr, /127\.0\.0\.1:\d+ is in use by another program; .*listen\.port/);
});

test("serve: a database that can't be used is named, with what to do", async () => {
  writeFileSync(join(directory, "not-a-database.db"), "this is text, and not a database\n".repeat(100));
  const file = configFile("database.yaml", `listen: { port: 0 }\ndatabase: sqlite:not-a-database.db\n`);
  const { status, stderr } = await run(["serve", "-c", file], { cwd: directory });
  assert.equal(status, 1);
  assert.match(stderr, /not-a-database\.db/);
  writeFileSync(join(directory, "file"), "");
  const inFile = configFile("database2.yaml", `listen: { port: 0 }\ndatabase: sqlite:file/x.db\n`);
  const second = await run(["serve", "-c", inFile], { cwd: directory });
  assert.equal(second.status, 1);
  assert.match(second.stderr, /file\/x\.db/);
});

test("serve: a certificate that can't be used ends it with status 2 and names the file", async () => {
  const cases: [string, string, RegExp][] = [
    [`${TLS}good.crt`, `${TLS}missing.key`, /missing\.key/],
    [`${TLS}expired.crt`, `${TLS}expired.key`, /expired\.crt.*expired/],
    [`${TLS}good.crt`, `${TLS}next.key`, /(good\.crt|next\.key)/],
  ];
  for (const [cert, key, expected] of cases) {
    const file = configFile(
      "tls.yaml",
      `listen: { port: 0 }\ndatabase: "sqlite::memory:"\ntls: { cert: ${cert}, key: ${key} }\n`,
    );
    const { status, stderr } = await run(["serve", "-c", file], { cwd: directory });
    assert.equal(status, 2, stderr);
    assert.match(stderr, expected);
  }
});

test("serve: plain HTTP off loopback is refused", async () => {
  const file = configFile("plain.yaml", `listen: { host: 0.0.0.0, port: 0 }\ndatabase: "sqlite::memory:"\n`);
  const { status, stderr } = await run(["serve", "-c", file], { cwd: directory });
  assert.equal(status, 2);
  assert.match(stderr, /plain HTTP is refused off loopback/);
});

test("streamkeeper: bad usage is status 2, help is status 0 for every command", async () => {
  for (const command of ["serve", "demo", "login", "check", "user", "token", "config"]) {
    const help = await run([command, "--help"], { cwd: directory });
    assert.equal(help.status, 0);
    assert.match(help.stdout, new RegExp(`Usage: streamkeeper ${command}`));
  }
  assert.equal((await run(["serve", "--no-such-option"], { cwd: directory })).status, 2);
  assert.equal((await run(["no-such-command"], { cwd: directory })).status, 2);
});
