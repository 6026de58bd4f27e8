import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { type LogLevel, openLog } from "./log.ts";

function capture(level: LogLevel = "debug") {
  const lines: Record<string, unknown>[] = [];
  const log = openLog({ level, destination: { write: (line) => lines.push(JSON.parse(line)) } });
  return { log, lines };
}

test("log: a line is one JSON object with time, level as a word, fields and message", () => {
  const { log, lines } = capture();
  log.info({ feed: "quotes", links: 2 }, "link opened");
  assert.equal(lines.length, 1);
  const { time, ...line } = lines[0] as Record<string, unknown>;
  assert.deepEqual(line, { level: "info", feed: "quotes", links: 2, msg: "link opened" });
  assert.equal(typeof time, "number");
});

test("log: lines below the level are not written", () => {
  const { log, lines } = capture("warn");
  log.debug({}, "one");
  log.info({}, "two");
  log.warn({}, "three");
  log.error({}, "four");
  assert.deepEqual(
    lines.map((line) => line.msg),
    ["three", "four"],
  );
});

test("log: the level comes from STREAMKEEPER_LOG, and a wrong one is refused by name", () => {
  assert.equal(openLog({ env: { STREAMKEEPER_LOG: "ERROR" } }).level, "error");
  assert.equal(openLog({ env: {} }).level, "info");
  assert.throws(
    () => openLog({ env: { STREAMKEEPER_LOG: "loud" } }),
    /"loud" does not exist: use one of debug, info, warn, error, silent/,
  );
});

test("log: no token reaches a line, whether as field, in a text, in a URL, or in an error's cause", () => {
  const { log, lines } = capture();
  const jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJkZW1vIn0.c2lnbmF0dXJl";
  const error = new Error(`GET https://u:pw@feed.example/quotes?key=s3cret failed`, {
    cause: new Error(`Bearer ${jwt}`),
  });
  log.error(
    {
      headers: { Authorization: "Bearer abcdefgh", "Set-Cookie": "a=b", accept: "text/event-stream" },
      access_token: jwt,
      password: "hunter2",
      url: "/.well-known/mercure?match=/quotes/AAPL&authorization=s3cret",
      note: `sent ${jwt} along`,
      err: error,
    },
    `refused ${jwt} at /connection/websocket?token=s3cret`,
  );
  const text = JSON.stringify(lines[0]);
  for (const secret of ["s3cret", "hunter2", "abcdefgh", "eyJ", "a=b", "u:pw"])
    assert.ok(!text.includes(secret), `${secret} in ${text}`);
  assert.equal((lines[0] as { url: string }).url, "/.well-known/mercure");
  assert.equal((lines[0] as { headers: { accept: string } }).headers.accept, "text/event-stream");
  assert.equal((lines[0] as { err: { cause: { message: string } } }).err.cause.message, "Bearer [redacted]");
});

test("log: fields that are plain values only lose their secrets as others do", () => {
  const { log, lines } = capture();
  const jwt = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJkZW1vIn0.c2lnbmF0dXJl";
  const one = { user: "anna", note: `sent ${jwt} along`, "Set-Cookie": "a=b", query: "s3cret" };
  log.info(one, "one");
  log.info({ user: "anna@example.org", url: "https://u:pw@feed.example/?key=s3cret" }, "two");
  log.info({ user: "anna", text: "x".repeat(5000), left: undefined, share: Number.NaN, none: null }, "three");
  log.info({}, "four");
  const plain = lines.map(({ time, level, ...rest }) => rest);
  assert.deepEqual(plain, [
    {
      user: "anna",
      note: "sent [redacted] along",
      "Set-Cookie": "[redacted]",
      query: "[redacted]",
      msg: "one",
    },
    { user: "anna@example.org", url: "https://[redacted]@feed.example/", msg: "two" },
    { user: "anna", text: `${"x".repeat(4096)}…`, share: null, none: null, msg: "three" },
    { msg: "four" },
  ]);
});

test("log: a field that refers to itself, is huge, deep, a buffer or a map is cut, not followed", () => {
  const { log, lines } = capture();
  const loop: Record<string, unknown> = {
    text: "x".repeat(100_000),
    bytes: new Uint8Array(5),
    map: new Map([["a", 1]]),
  };
  loop.self = loop;
  loop.wide = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, index]));
  loop.size = 2n ** 60n;
  log.info(loop, "odd");
  const line = lines[0] as Record<string, unknown>;
  assert.equal((line.text as string).length, 4097);
  assert.equal(line.bytes, "5 bytes");
  assert.equal(line.map, "Map of 1");
  assert.equal(line.size, String(2n ** 60n));
  assert.ok(Object.keys(line.wide as object).length <= 101);
  assert.ok(JSON.stringify(line).length < 100_000);
});

test("log: a process's lines go to standard error, and are there when it exits at once", () => {
  const program = `
    import { openLog } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
    openLog().warn({ n: 1 }, "last words");
    process.exit(0);
  `;
  const ran = spawnSync(
    process.execPath,
    ["--conditions=streamkeeper-source", "--input-type=module", "-e", program],
    {
      encoding: "utf8",
      env: { ...process.env, STREAMKEEPER_LOG: "warn" },
    },
  );
  assert.equal(ran.stdout, "");
  assert.match(ran.stderr, /^\{"level":"warn","time":\d+,"n":1,"msg":"last words"\}\n$/);
});

test("log: lines that are gathered come in order and whole, those before a close included", () => {
  const program = `
    import { openLog } from ${JSON.stringify(new URL("./log.ts", import.meta.url).href)};
    const log = openLog();
    for (let n = 0; n < 1000; n++) log.info({ n }, "burst");
    setImmediate(() => {
      for (let n = 1000; n < 1010; n++) log.info({ n }, "later");
      log.close();
    });
  `;
  const ran = spawnSync(
    process.execPath,
    ["--conditions=streamkeeper-source", "--input-type=module", "-e", program],
    { encoding: "utf8", env: { ...process.env, STREAMKEEPER_LOG: "info" } },
  );
  assert.equal(ran.status, 0);
  const numbers = ran.stderr
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as { n: number }).n);
  assert.deepEqual(
    numbers,
    Array.from({ length: 1010 }, (_, n) => n),
  );
});
