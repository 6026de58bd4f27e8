import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { VirtualClock } from "#base/virtual-clock.ts";
import { until } from "../helpers/feed-server.ts";
import { openGateway } from "../helpers/gateway.ts";
import { MercureServer } from "../helpers/mercure-server.ts";
import { deskWith, TestClient } from "../helpers/session-client.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { RawWebSocket } from "../helpers/websocket-listener.ts";
import { stage } from "../helpers/websocket-stage.ts";

test("connection rate: those beyond it are asked to come back, by either transport, and let in a second later", async () => {
  await using server = await MercureServer.open({ limits: { connectionsPerSecond: 2 } });
  using first = await server.client("match=/public/x");
  using second = await server.client("match=/public/x");
  using third = await server.client("match=/public/x");
  assert.deepEqual(
    [first.status, second.status, third.status],
    [200, 200, 200],
    "an event source never gets 429",
  );
  assert.match(third.body, /^: connection_rate.*\n+retry: \d+$/m);
  assert.equal(server.registry.size, 2);
  assert.equal(server.counters.errors.of("connection_rate"), 1);
  server.clock.advance(1000);
  using fourth = await server.client("match=/public/x");
  assert.equal(server.registry.size, 3);
  assert.match(fourth.body, /^retry: \d+/m);

  await using on = await stage({ clock: new VirtualClock(), limits: { connectionsPerSecond: 1 } });
  const accepted = await on.dial();
  assert.match(accepted.head, /^HTTP\/1\.1 101/);
  const refused = await on.dial();
  assert.match(refused.head, /^HTTP\/1\.1 503/);
  accepted.socket.destroy();
});

test("commands per second: a client that sends more than its burst ends with code 3013; pongs do not count", async () => {
  const { desk, clock } = deskWith({ limits: { commandsPerSecond: 1, subscribersPerConnection: 5 } });
  const client = await new TestClient(desk).signIn();
  const history = { history: { channel: "/public/x", limit: 0 } };
  for (let command = 2; command <= 15; command++) client.send(history);
  assert.equal(client.closed, null, "ten seconds' worth and one for each subscriber");
  clock.advance(3000);
  for (let command = 0; command < 3; command++) client.send(history);
  assert.equal(client.closed, null);
  client.send(history);
  assert.equal(client.closed, "too_many_requests");
});

test("idle: a WebSocket client without subscription and command ends as stale, one that subscribes or asks does not", async () => {
  const { desk, clock } = deskWith({
    limits: { idleTimeoutMs: 60_000 },
    heartbeat: { intervalMs: 3_600_000, timeoutMs: 10_000 },
  });
  const [idle, subscribed, asking] = await Promise.all(
    ["idle", "subscribed", "asking"].map((id) => new TestClient(desk, id).signIn()),
  );
  await subscribed?.ask({ subscribe: { channel: "/public/x" } });
  for (let seconds = 0; seconds < 120; seconds += 30) {
    clock.advance(30_000);
    await asking?.ask({ history: { channel: "/public/x", limit: 0 } });
    for (const client of [idle, subscribed, asking]) client?.session.onTime();
  }
  assert.equal(idle?.closed, "stale");
  assert.deepEqual([subscribed?.closed, asking?.closed], [null, null]);
  await subscribed?.ask({ unsubscribe: { channel: "/public/x" } });
  clock.advance(60_000);
  subscribed?.session.onTime();
  assert.equal(subscribed?.closed, "stale");
  assert.ok((asking?.session.nextInMs ?? Number.NaN) <= 0, "and it is looked at in time");
});

test("upgrade: at a path that is none it is answered and its socket closed, also when the client stays half-open", async () => {
  await using gateway = await openGateway();
  const { port } = new URL(gateway.url);
  const socket = connect({ port: Number(port), host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => {});
  socket.write("GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  const [answer] = await once(socket, "data");
  assert.match(String(answer), /^HTTP\/1\.1 404/);
  await once(socket, "end");
  // A socket that is destroyed at the other end answers what is still sent to it with a reset.
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const poke = setInterval(() => socket.write("x"), 5);
  await closed;
  clearInterval(poke);
});

test("sockets: over their bound they are closed at once, and those within it are served", async () => {
  await using gateway = await openGateway(`limits: { connections: 1 }`);
  const { port } = new URL(gateway.url);
  // One connection and a spare of 200.
  const silent = Array.from({ length: 205 }, () => connect(Number(port), "127.0.0.1").on("error", () => {}));
  let dropped = 0;
  for (const socket of silent) socket.once("close", () => dropped++);
  await until("those beyond it are dropped", () => dropped >= 4);
  assert.ok(dropped <= 5, `${dropped}`);
  for (const socket of silent) socket.destroy();
  await until("they are gone", () => dropped === silent.length);
  using client = await new SseClient(gateway.url, "match=/public/x").opened();
  assert.equal(client.status, 200);
});

test("idle: a WebSocket client whose subscription the gateway has ended is given the time to come back", async () => {
  const { desk, clock } = deskWith({
    limits: { idleTimeoutMs: 60_000 },
    heartbeat: { intervalMs: 3_600_000, timeoutMs: 10_000 },
  });
  const client = await new TestClient(desk, "told").signIn();
  await client.ask({ subscribe: { channel: "/public/x" } });
  clock.advance(59_000);
  desk.hub.markGap(["/public/x"], false);
  clock.advance(1000);
  client.session.onTime();
  assert.equal(client.closed, null, "a second after it was told");
  clock.advance(59_000);
  client.session.onTime();
  assert.equal(client.closed, "stale");
});

test("handshake: a WebSocket client that does not connect in the protocol's sense within ten seconds ends as stale", async () => {
  const clock = new VirtualClock();
  await using on = await stage({ clock });
  const client = await RawWebSocket.dial(on.listener.port);
  await until("it is in", () => on.desk.registry.size === 1);
  clock.advance(11_000);
  assert.equal((await client.ended())?.code, 3502);
  assert.deepEqual(on.ends(), { "websocket:stale": 1 });
  client.socket.destroy();
});
