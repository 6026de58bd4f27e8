import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { until } from "../../test/helpers/feed-server.ts";
import { MercureServer, turn } from "../../test/helpers/mercure-server.ts";

test("heartbeat: repeats the cursor reached, so that a quiet client resumes exactly", async () => {
  await using server = await MercureServer.open();
  using sse = await server.client("match=/public/a");
  for (let index = 0; index < 10; index++) server.publish("/other", "noise");
  server.clock.advance(26_000);
  await sse.until(() => sse.body.includes(": heartbeat\nid: #e.10\n\n"));
  assert.deepEqual(sse.events, []);
  server.publish("/public/a", "x");
  server.clock.advance(26_000);
  await sse.until(() => sse.body.includes(": heartbeat\nid: #e.11\n\n"));
});

test("heartbeat: with the first one the operating system begins to watch over the client", {
  skip: process.platform !== "linux",
}, async () => {
  await using server = await MercureServer.open();
  using sse = await server.client("match=/public/a");
  // The kernel's own table: the gateway's end, and whether its keep-alive timer runs.
  const watches = () => {
    const [from, to] = [sse.socket.remotePort, sse.socket.localPort].map((port) =>
      (port as number).toString(16).toUpperCase().padStart(4, "0"),
    );
    const row = readFileSync("/proc/net/tcp", "latin1").match(
      new RegExp(`:${from} [0-9A-F]+:${to} 01 \\S+ (\\d\\d):`),
    );
    return row?.[1] === "02";
  };
  assert.equal(watches(), false);
  server.clock.advance(26_000);
  await sse.until(() => sse.body.includes(": heartbeat"));
  await until("the kernel watches", watches);
});

test("heartbeat: is a named event where that is asked for", async () => {
  await using server = await MercureServer.open();
  using sse = await server.client("match=/public/a&heartbeat=event");
  server.clock.advance(26_000);
  await sse.data(1);
  assert.deepEqual([sse.events[0]?.event, sse.events[0]?.data], ["heartbeat", '{"cursor":"#e.0"}']);
});

test("end: a token's stream ends no later than the token", async () => {
  await using server = await MercureServer.open();
  const expiresAtMs = server.clock.nowMs() + 60_000;
  const token = server.token("ann", { subscribe: ["/a"], expiresAtMs });
  using sse = await server.client("match=/a", { token });
  server.clock.advance(59_000);
  assert.equal(server.registry.size, 1);
  server.clock.advance(1000);
  assert.equal(server.registry.size, 0);
  await sse.ended();
  assert.equal(server.counters.closed.of("sse:token_expired"), 1);
});

test("end: a client's FIN and its RST have their own reasons, and leave nothing behind", async () => {
  await using server = await MercureServer.open();
  const polite = await server.client("match=/public/a&match_urlpattern=/public/*");
  const rude = await server.client("match=/public/a");
  assert.equal(server.hub.stats().subscribers, 3);
  polite.socket.end();
  rude.cut();
  await server.registry.empty();
  assert.equal(server.counters.closed.of("sse:client_closed"), 1);
  assert.equal(server.counters.closed.of("sse:connection_reset"), 1);
  assert.deepEqual(
    { ...server.hub.stats() },
    { ...server.hub.stats(), subscribers: 0, topics: 0, patterns: 0 },
  );
  assert.equal(server.desk.wheel.size, 0);
});

test("end: those whom the gateway sends away are told when to come back, spread by jitter", async () => {
  await using server = await MercureServer.open();
  const clients = await Promise.all(Array.from({ length: 8 }, () => server.client("match=/public/a")));
  server.registry.closeWhere(() => true, "shutdown");
  const retries = await Promise.all(
    clients.map(async (sse) => {
      await sse.ended();
      return /\nretry: (\d+)\n\n$/.exec(sse.body)?.[1];
    }),
  );
  assert.ok(new Set(retries).size > 4, `${retries}`);
});

test("capacity: who can't be let in is answered 200, told when to come back, and let go: never 429 or 503", async () => {
  await using server = await MercureServer.open({
    limits: { connections: 3, connectionsPerUser: 1, connectionsPerAddress: 3 },
  });
  const token = server.token("ann", { subscribe: ["/a"] });
  using first = await server.client("match=/a", { token });
  using second = await server.client("match=/a", { token });
  assert.equal(first.status, 200);
  await second.ended();
  assert.equal(second.status, 200);
  assert.match(second.body, /^: user_connection_limit.*\n\nretry: \d{4,5}\n\n$/);
  server.draining = true;
  using third = await server.client("match=/public/a");
  await third.ended();
  assert.match(third.body, /^: draining.*\n\nretry: \d{4,5}\n\n$/);
  assert.equal(server.registry.size, 1);
});

test("attack: many at once do not get past the limit between admission and entry", async () => {
  await using server = await MercureServer.open({ limits: { connections: 5 } });
  const all = await Promise.all(Array.from({ length: 30 }, () => server.client("match=/public/a")));
  assert.equal(server.registry.size, 5);
  assert.equal(all.filter((sse) => sse.body.startsWith(": ok")).length, 5);
  for (const sse of all) sse[Symbol.dispose]();
});

test("attack: a client that does not read is cut at its queue's bound", async () => {
  await using server = await MercureServer.open({ limits: { queueBytes: 256 * 1024 } });
  using sse = await server.client("match=/public/a");
  sse.socket.pause();
  const data = "x".repeat(100_000);
  for (let index = 0; index < 400 && server.registry.size > 0; index++) {
    server.publish("/public/a", data);
    await turn();
  }
  assert.equal(server.counters.closed.of("sse:slow_consumer"), 1);
  assert.equal(server.hub.stats().subscribers, 0);
});

test("attack: a client that stops reading is cut after heartbeat.timeout even with little to send", async () => {
  await using server = await MercureServer.open({ limits: { queueBytes: 64 * 1024 * 1024 } });
  using sse = await server.client("match=/public/a");
  sse.socket.pause();
  for (let index = 0; index < 100; index++) server.publish("/public/a", "x".repeat(100_000));
  await turn();
  server.clock.advance(60_000);
  assert.equal(server.counters.closed.of("sse:slow_consumer"), 1);
});
