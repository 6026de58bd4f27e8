import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { FeedServer } from "../helpers/feed-server.ts";
import { Program } from "../helpers/program.ts";
import { SseClient } from "../helpers/sse-client.ts";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-sighup-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const BASE = `listen: { port: 0 }\ndatabase: "sqlite::memory:"\n`;

async function serve(file: string): Promise<{ program: Program; url: string }> {
  const program = new Program(["serve", "-c", file], { cwd: directory });
  const [, url] = await program.printed(/"url":"(http:[^"]+)"/);
  return { program, url: url as string };
}

test("SIGHUP: a changed file takes effect under a client that stays connected, and the log says what changed", async () => {
  await using feed = await FeedServer.open();
  const file = join(directory, "changed.yaml");
  writeFileSync(file, `${BASE}auth: { anonymous: { subscribe: [/quotes/*, /old/*] } }\n`);
  const { program, url } = await serve(file);
  await using _program = program;
  using kept = await new SseClient(url, "match=/quotes/AAPL").opened();
  using ended = await new SseClient(url, "match=/old/1").opened();
  writeFileSync(
    file,
    `${BASE}auth: { anonymous: { subscribe: [/quotes/*] } }
feeds: { quotes: { url: "${feed.origin}/q?symbols={keys}", topic: "/quotes/{key}", key: /symbol, access: public } }
`,
  );
  program.child.kill("SIGHUP");
  await program.printed(/"changed":\["auth\.anonymous\.subscribe","feeds\.quotes"\],"sentAway":1/);
  await ended.ended();
  await feed.streaming("AAPL");
  feed.publish("AAPL", { symbol: "AAPL", price: 1 });
  assert.match((await kept.data(1))[0] as string, /"price":1/);
  program.child.kill("SIGTERM");
  assert.equal((await program.finished).status, 0);
});

test("SIGHUP: a file with faults, or with what needs a restart, changes nothing and is named in the log", async () => {
  const file = join(directory, "faulty.yaml");
  const good = `${BASE}auth: { anonymous: { subscribe: [/public/*] } }\n`;
  writeFileSync(file, good);
  const { program, url } = await serve(file);
  await using _program = program;
  using client = await new SseClient(url, "match=/public/1").opened();
  writeFileSync(file, `${good}limits: { connections: none }\nfoo: 1\n`);
  program.child.kill("SIGHUP");
  await program.printed(
    /faulty\.yaml:\d+:\d+ limits\.connections.*faulty\.yaml:\d+:\d+ foo.*nothing changed/,
  );
  writeFileSync(file, `${BASE.replace("port: 0", "port: 1")}limits: { connections: 1 }\n`);
  program.child.kill("SIGHUP");
  await program.printed(/"refused":\["listen\.port"\]/);
  rmSync(file);
  program.child.kill("SIGHUP");
  await program.printed(/faulty\.yaml: expected this file to exist/);
  using another = await new SseClient(url, "match=/public/1").opened();
  assert.deepEqual([client.status, another.status], [200, 200]);
  assert.equal(client.socket.destroyed, false);
  writeFileSync(file, `${good}limits: { connections: 7 }\n`);
  program.child.kill("SIGHUP");
  await program.printed(/"changed":\["limits\.connections"\]/);
});
