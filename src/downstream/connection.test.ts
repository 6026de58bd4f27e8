import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, connect as dial, type Server, type Socket } from "node:net";
import { Duplex } from "node:stream";
import { after, before, test } from "node:test";
import type { Identity } from "#auth/identity.ts";
import { silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import type { HubEvent } from "#hub/hub.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { Connection } from "./connection.ts";
import { ConnectionRegistry } from "./connection-registry.ts";
import type { Desk } from "./desk.ts";
import { DownstreamCounters } from "./downstream-counters.ts";
import { Flusher } from "./flusher.ts";

const nobody: Identity = {
  kind: "anonymous",
  user: "",
  role: null,
  subscribe: { matchers: [], covers: () => false },
  publish: { matchers: [], covers: () => false },
  admin: false,
  tokenId: null,
  sessionId: null,
  expiresAtMs: null,
};

class PlainConnection extends Connection {
  released = 0;
  writable = 0;
  readonly subscriberCount = 0;
  constructor(desk: Desk, socket: Socket) {
    super(desk, socket, "sse", socket.remoteAddress ?? "", nobody);
  }
  onWheel(): void {
    if (this.isStalled) this.close(CloseReason.slow_consumer);
    else this.desk.wheel.arm(this, 20);
  }
  protected goodbye(): Buffer {
    return Buffer.from("bye");
  }
  protected release(): void {
    this.released++;
  }
  protected override onWritable(): void {
    this.writable++;
  }
}

const clock = new SystemClock();
const wheel = new TimerWheel(clock, 10);
const counters = new DownstreamCounters();
const registry = new ConnectionRegistry(counters, silentLogger, clock);
let ids = 0;
const desk = {
  clock,
  wheel,
  counters,
  registry,
  flusher: new Flusher(clock),
  log: silentLogger,
  limits: { queueBytes: 100_000, connectionAgeMs: null },
  heartbeat: { intervalMs: 25_000, timeoutMs: 50 },
  nextConnectionId: () => `c${++ids}`,
} as unknown as Desk;

let server: Server;
const accepted: ((socket: Socket) => void)[] = [];
const alive = setInterval(() => {}, 1000);

before(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => accepted.shift()?.(socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
});

after(async () => {
  clearInterval(alive);
  server.close();
  await once(server, "close");
});

async function connected(of: Desk = desk): Promise<{ connection: PlainConnection; client: Socket }> {
  const socket = new Promise<Socket>((resolve) => accepted.push(resolve));
  const { port } = server.address() as { port: number };
  const client = dial(port, "127.0.0.1");
  client.on("error", () => {});
  return { connection: new PlainConnection(of, await socket), client };
}

async function textOf(client: Socket): Promise<string> {
  let text = "";
  for await (const chunk of client) text += chunk;
  return text;
}

async function gone(connection: Connection): Promise<void> {
  await registry.empty();
  assert.equal(connection.isSocketClosed, true);
}

test("connection: a socket is given a part at a time, so that a slow reader's progress can be seen", async () => {
  const roomy = { ...desk, limits: { ...desk.limits, queueBytes: 2 ** 24 } };
  const { connection, client } = await connected(roomy);
  const { sink } = connection as unknown as { sink: Socket };
  client.pause();
  const frames = 200;
  for (let n = 0; n < frames; n++) connection.enqueue(Buffer.alloc(64 * 1024, n));
  connection.flush();
  assert.ok(sink.writableLength <= 256 * 1024, `${sink.writableLength} bytes at once`);
  let received = 0;
  const all = new Promise<void>((resolve) => {
    client.on("data", (chunk: Buffer) => {
      if (received === frames * 64 * 1024) return;
      // In order: each byte tells its frame.
      assert.equal(chunk[0], Math.floor(received / (64 * 1024)) % 256);
      received += chunk.length;
      if (received === frames * 64 * 1024) resolve();
    });
  });
  client.resume();
  await all;
  connection.close(CloseReason.shutdown);
  await gone(connection);
});

test("connection: what is queued in one turn leaves in one write, in order", async () => {
  const { connection, client } = await connected();
  const writes: number[] = [];
  const socket = (connection as unknown as { sink: Socket }).sink;
  const write = socket.write;
  socket.write = ((chunk: Buffer) => {
    writes.push(chunk.length);
    return write.call(socket, chunk);
  }) as typeof socket.write;
  for (const word of ["one ", "two ", "three "]) connection.enqueue(Buffer.from(word));
  assert.equal(connection.queuedBytes, 14);
  assert.deepEqual(writes, [], "nothing is written within the turn");
  const [first] = await once(client, "data");
  assert.equal(String(first), "one two three ");
  assert.deepEqual(writes, [14]);
  connection.close(CloseReason.shutdown);
  assert.equal(await textOf(client), "bye");
  client.end();
  await gone(connection);
});

test("connection: two connections that queue the same frames share the bytes they write", async () => {
  const [first, second] = [await connected(), await connected()];
  const written: Buffer[] = [];
  for (const { connection } of [first, second]) {
    const socket = (connection as unknown as { sink: Socket }).sink;
    const write = socket.write;
    socket.write = ((chunk: Buffer) => {
      written.push(chunk);
      return write.call(socket, chunk);
    }) as typeof socket.write;
  }
  const frames = ["a", "b", "c"].map((text) => Buffer.from(text));
  for (const frame of frames) {
    first.connection.enqueue(frame);
    second.connection.enqueue(frame);
  }
  await Promise.all([once(first.client, "data"), once(second.client, "data")]);
  assert.equal(written.length, 2);
  assert.equal(written[0], written[1]);
  for (const { connection, client } of [first, second]) {
    connection.close(CloseReason.shutdown);
    client.destroy();
  }
  await registry.empty();
});

test("connection: close is final, gives its reason once, and says goodbye after what was queued", async () => {
  const { connection, client } = await connected();
  const closedBefore = counters.closed.of("sse:forced_disconnect");
  connection.enqueue(Buffer.from("queued, "));
  connection.close(CloseReason.forced_disconnect);
  connection.close(CloseReason.server_error);
  connection.enqueue(Buffer.from("too late"));
  assert.equal(connection.closed, CloseReason.forced_disconnect);
  assert.equal(connection.released, 1);
  assert.equal(registry.size, 0);
  assert.equal(registry.sockets, 1, "its socket still hands over its last bytes");
  assert.equal(await textOf(client), "queued, bye");
  await gone(connection);
  assert.equal(counters.closed.of("sse:forced_disconnect"), closedBefore + 1);
  assert.equal(counters.closed.of("sse:server_error"), 0);
});

test("connection: a client that goes is client_closed, one that resets is connection_reset", async () => {
  const orderly = await connected();
  orderly.client.end();
  await gone(orderly.connection);
  assert.equal(orderly.connection.closed, CloseReason.client_closed);
  const abrupt = await connected();
  abrupt.client.resetAndDestroy();
  await gone(abrupt.connection);
  assert.equal(abrupt.connection.closed, CloseReason.connection_reset);
  assert.equal(counters.resets.of("downstream"), 1);
});

test("attack: a client that never reads costs its bound and is cut as slow", async () => {
  const { connection, client } = await connected();
  client.pause();
  const frame = Buffer.alloc(50_000);
  let most = 0;
  while (connection.closed === null) {
    connection.enqueue(frame);
    most = Math.max(most, connection.queuedBytes);
    await new Promise(setImmediate);
  }
  assert.equal(connection.closed, CloseReason.slow_consumer);
  assert.ok(most <= 100_000 + 2 * frame.length, `${most} bytes were held`);
  assert.equal(connection.queuedBytes, 0);
  await gone(connection);
  assert.equal(counters.slowConsumers.of("disconnect"), 1);
  client.destroy();
});

test("connection: one whose socket takes nothing for the write deadline is stalled, however little is queued", async () => {
  const { connection, client } = await connected();
  client.pause();
  const socket = (connection as unknown as { sink: Socket }).sink;
  const frame = Buffer.alloc(20_000);
  while (!socket.writableNeedDrain) {
    connection.enqueue(frame);
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  }
  wheel.arm(connection, 20);
  await gone(connection);
  assert.equal(connection.closed, CloseReason.slow_consumer);
  client.destroy();
});

test("connection: a burst over the bound reaches a client that reads", async () => {
  const { connection, client } = await connected();
  let received = 0;
  client.on("data", (chunk) => {
    received += chunk.length;
  });
  const frame = Buffer.alloc(10_000);
  for (let index = 0; index < 9; index++) connection.enqueue(frame);
  while (received < 90_000) await once(client, "data");
  assert.equal(connection.closed, null);
  assert.ok(connection.writable > 0, "and it may go on with a replay");
  client.end();
  await gone(connection);
});

test("connection: opened minus closed is what is open, and nothing is armed when all have gone", async () => {
  await registry.empty();
  assert.equal(counters.opened.total - counters.closed.total, 0);
  assert.equal(registry.size, 0);
  assert.equal(wheel.size, 0);
});

test("conflate: what was queued before a client fell behind leaves before what waits behind it, in pieces as well", async () => {
  const written: string[] = [];
  let take: (() => void) | null = null;
  const socket = new Duplex({
    allowHalfOpen: true,
    read() {},
    write(chunk: Buffer, _encoding, done) {
      written.push(chunk.toString("latin1", 0, 2));
      if (take === null) done();
      else take = done;
    },
  });
  const states = new Map<string, { sequence: number; topics: [string]; frame: () => Buffer; data: string }>();
  const conflating = {
    ...desk,
    limits: { queueBytes: 4 * 1024 * 1024, connectionAgeMs: null },
    slowConsumer: "conflate",
    hub: { stateOf: (topic: string) => states.get(topic) ?? null },
  } as unknown as Desk;
  const connection = new PlainConnection(conflating, socket as Socket);
  const deliver = (sequence: number, bytes: number) => {
    const frame = Buffer.from(`#${sequence}`.padEnd(bytes, "."));
    const event = { sequence, topics: ["/t"] as [string], frame: () => frame, data: "" };
    states.set("/t", event);
    connection.deliverLive(frame, event as unknown as HubEvent, "/t");
  };
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  take = () => {};
  // More than is written at once, so that the small one goes alone when the socket takes bytes again.
  deliver(1, 300_000);
  deliver(2, 10_000);
  deliver(3, 300_000);
  await turn();
  assert.deepEqual(written, ["#1"]);
  deliver(4, 200);
  const taken = take;
  take = null;
  taken();
  for (let turns = 0; turns < 10 && written.length < 4; turns++) await turn();
  assert.deepEqual(written, ["#1", "#2", "#3", "#4"]);
  connection.close(CloseReason.shutdown);
  socket.destroy();
  await registry.empty();
});
