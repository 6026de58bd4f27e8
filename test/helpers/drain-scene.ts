import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Program } from "./program.ts";
import { SseClient } from "./sse-client.ts";
import { WebSocketClient } from "./websocket-client.ts";

const AT_ONCE = 100;

export interface DrainSceneOptions {
  /** Half of them by each transport. */
  readonly clients: number;
  readonly timeoutMs: number;
}

export interface DrainFigures {
  readonly clients: number;
  /** From the signal to the exit. */
  readonly exitMs: number;
  /** From the signal to the first and the last goodbye. */
  readonly firstMs: number;
  readonly lastMs: number;
}

/**
 * A gateway in a process of its own is told to stop while clients are connected. Every client must be told in its
 * protocol's words, none may be reset, goodbyes must be spread, and the process must exit with 0 before its deadline.
 */
export async function drainScene({ clients, timeoutMs }: DrainSceneOptions): Promise<DrainFigures> {
  const directory = mkdtempSync(join(tmpdir(), "streamkeeper-drain-"));
  try {
    const file = join(directory, "drain.yaml");
    writeFileSync(
      file,
      `listen: { port: 0 }
database: "sqlite::memory:"
auth: { anonymous: { subscribe: [/public/*] } }
limits: { connections: ${2 * clients}, connectionsPerAddress: ${2 * clients} }
drain: { timeout: ${timeoutMs}ms }
`,
    );
    await using program = new Program(["serve", "-c", file], { cwd: directory });
    const [, url] = (await program.printed(/"url":"(http:[^"]+)"/)) as unknown as [string, string];
    return await drain(program, url, clients, timeoutMs);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function drain(
  program: Program,
  url: string,
  clients: number,
  timeoutMs: number,
): Promise<DrainFigures> {
  const streams = await inBatches(clients / 2, () => new SseClient(url, "match=/public/x").opened());
  const sockets = await inBatches(clients / 2, () => subscribed(url));
  const startMs = performance.now();
  const sinceStart = () => performance.now() - startMs;
  const goodbyes = Promise.all([
    ...streams.map((stream) => stream.ended().then(sinceStart)),
    ...sockets.map((socket) => socket.closed().then(sinceStart)),
  ]);
  program.child.kill("SIGTERM");
  const times = (await goodbyes).sort((left, right) => left - right);
  const { status, signal, stderr } = await program.finished;
  const exitMs = sinceStart();
  assert.deepEqual([status, signal], [0, null]);
  assert.ok(exitMs < timeoutMs, `exit after ${exitMs} ms`);
  for (const { body, socket } of streams) {
    assert.match(body, /^retry: \d+$/m);
    assert.ok(body.endsWith("\n\n"), "the stream ended at the end of an event");
    assert.equal(socket.errored, null);
  }
  for (const { closeCode } of sockets) assert.equal(closeCode, 3001);
  const delays = new Set(streams.map(({ body }) => [...body.matchAll(/^retry: (\d+)$/gm)].at(-1)?.[1]));
  assert.ok(delays.size > clients / 10, `clients are told ${delays.size} different times to come back`);
  assert.match(stderr, /"cut":0,.*"msg":"drained"/);
  const [firstMs, lastMs] = [times[0] as number, times.at(-1) as number];
  assert.ok(lastMs - firstMs > timeoutMs / 4, `all were sent away within ${lastMs - firstMs} ms`);
  return { clients, exitMs, firstMs, lastMs };
}

async function subscribed(url: string): Promise<WebSocketClient> {
  const client = await WebSocketClient.open(url);
  await client.ask({ connect: {} });
  await client.subscribe("/public/x");
  return client;
}

async function inBatches<Item>(count: number, open: () => Promise<Item>): Promise<Item[]> {
  const items: Item[] = [];
  while (items.length < count) {
    const batch = Math.min(AT_ONCE, count - items.length);
    items.push(...(await Promise.all(Array.from({ length: batch }, open))));
  }
  return items;
}
