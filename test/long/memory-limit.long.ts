import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { until } from "../helpers/feed-server.ts";
import { Program, run } from "../helpers/program.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { WebSocketClient } from "../helpers/websocket-client.ts";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-memory-"));
after(() => rmSync(directory, { recursive: true, force: true }));

const LIMIT_BYTES = 300 * 2 ** 20;
const CONFIG = `
listen: { port: 0 }
database: sqlite:users.db
auth:
  anonymous: { subscribe: [/public/*] }
  roles: { ingest: { publish: [/public/*] } }
log: { bytesMax: 1GiB }
limits: { memory: 300MiB, connectionsPerAddress: 20000 }
drain: { timeout: 2s }
`;

const SLOW_READERS_MAX = 200;
/** How long the flood goes on, and until when memory must have run short; a busy machine floods slowly. */
const FLOOD_MS = 8000;
const SHORT_WITHIN_MS = 60_000;
/** What resident memory may pass the limit by at its peak: the limit is where clients are sent away, not a wall. */
const OVERSHOOT = 1.05;
const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What /metrics says of one series without labels. */
async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

/** The most resident memory that the process ever had, as the system kept it. */
function peakBytesOf(pid: number): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) * 1024;
}

async function publish(url: string, token: string, topic: string, data: string): Promise<void> {
  const response = await fetch(`${url}/.well-known/mercure`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}` },
    body: new URLSearchParams({ topic, data }),
  });
  assert.equal(response.status, 200, await response.text());
}

/** Whether a newcomer gets a stream, rather than being asked to come back. */
async function isLetIn(url: string): Promise<boolean> {
  using client = await new SseClient(url, "match=/public/new").opened();
  return !client.body.startsWith(": memory_short");
}

test("memory limit: under a flood of connections, subscriptions, large messages and slow readers the process lives, keeps whom it had, and lets newcomers in afterwards", async (t) => {
  const file = join(directory, "memory.yaml");
  writeFileSync(file, CONFIG);
  await using program = new Program(["serve", "-c", file], { cwd: directory });
  const [, url] = (await program.printed(/"url":"(http:[^"]+)"/)) as unknown as [string, string];
  const issued = await run(["token", "--role", "ingest", "-c", file, "--json"], { cwd: directory });
  const { access_token: token } = JSON.parse(issued.stdout) as { access_token: string };
  using reader = await new SseClient(url, "match=/public/calm").opened();
  using socket = await WebSocketClient.open(url);
  await socket.ask({ connect: {} });
  await socket.subscribe("/public/calm");

  const flooders: { [Symbol.dispose](): void }[] = [];
  let peakStep = 0;
  let refused = 0;
  let slowReaders = 0;
  let isOver = false;
  let published = 0;
  const large = "x".repeat(60_000);
  const floods = [
    async () => {
      await Promise.all(Array.from({ length: 8 }, () => publish(url, token, "/public/flood", large)));
    },
    async () => {
      if (slowReaders === SLOW_READERS_MAX) return await nextTurn();
      slowReaders++;
      const slow = new SseClient(url, "match=/public/flood");
      slow.socket.pause();
      slow.socket.on("error", () => {});
      flooders.push(slow);
      await nextTurn();
    },
    async () => {
      const client = await WebSocketClient.open(url).catch(() => null);
      if (client === null) {
        refused++;
        return;
      }
      flooders.push(client);
      await client.ask({ connect: {} });
      const name = `/public/${"long".repeat(20)}/${flooders.length}`;
      client.socket.send(
        Array.from({ length: 499 }, (_, index) =>
          JSON.stringify({ id: 100 + index, subscribe: { channel: `${name}/${index}` } }),
        )
          .join("\n")
          .slice(0, 65_000)
          .replace(/\n[^\n]*$/, ""),
      );
    },
  ];
  const running = floods.map(async (flood) => {
    while (!isOver) await flood().catch(() => {});
  });
  const watched = (async () => {
    while (!isOver) {
      await publish(url, token, "/public/calm", String(published));
      published++;
      peakStep = Math.max(peakStep, await metric(url, "streamkeeper_memory_step"));
    }
  })();
  const startMs = performance.now();
  try {
    await until(
      "memory runs short, newcomers are refused, and the log is trimmed",
      () => peakStep >= 2 && refused > 0,
      SHORT_WITHIN_MS,
    );
    await until("the flood has gone on", () => performance.now() - startMs > FLOOD_MS, FLOOD_MS);
  } finally {
    isOver = true;
    await Promise.all([...running, watched]);
  }
  const floodersThen = flooders.length;
  for (const flooder of flooders) flooder[Symbol.dispose]();

  for (let isIn = false; !isIn; ) isIn = await isLetIn(url);
  assert.equal(program.child.exitCode, null, "the process lives");
  const peakBytes = peakBytesOf(program.child.pid as number);
  assert.ok(peakBytes < LIMIT_BYTES * OVERSHOOT, `${(peakBytes / 2 ** 20).toFixed(0)} MiB at most`);
  const expected = Array.from({ length: published }, (_, index) => String(index));
  assert.deepEqual((await reader.data(published)).slice(0, published), expected);
  assert.deepEqual((await socket.data(published)).map(String), expected);
  assert.ok((await metric(url, "streamkeeper_log_bytes")) < LIMIT_BYTES);
  t.diagnostic(
    `peak ${(peakBytes / 2 ** 20).toFixed(0)} of 300 MiB, step ${peakStep}, ${floodersThen} flooders, ${refused} refused, ` +
      `${published} events to each reader, let in again ${((performance.now() - startMs) / 1000).toFixed(1)} s after the start`,
  );
  program.child.kill("SIGTERM");
  assert.equal((await program.finished).status, 0);
});
