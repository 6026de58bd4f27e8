import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { CloseReason } from "#protocol/close-reason.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { Opcode, RawWebSocket } from "../../test/helpers/websocket-listener.ts";
import { endsWith, stage } from "../../test/helpers/websocket-stage.ts";
import { WebSocketConnection } from "./websocket-connection.ts";

test("connection: commands that came with the handshake are not lost", async () => {
  await using on = await stage();
  const client = new RawWebSocket(on.listener.port);
  await once(client.socket, "connect");
  client.socket.cork();
  client.socket.write(
    `GET /connection/websocket HTTP/1.1\r\nHost: 127.0.0.1:${on.listener.port}\r\nConnection: Upgrade\r\n` +
      "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  );
  client.say({ id: 1, connect: {} });
  client.socket.uncork();
  assert.ok((await client.heard()).connect);
});

test("connection: several commands of one frame are answered in order, and events come as published", async () => {
  await using on = await stage();
  const client = await on.dial();
  client.say({ id: 1, connect: {} }, { id: 2, subscribe: { channel: "/public/a" } }, { id: 3, rpc: {} });
  assert.equal((await client.heard()).id, 1);
  assert.equal((await client.heard()).subscribe.epoch, "life1");
  assert.equal((await client.heard()).error.code, 108);
  on.desk.hub.publish({ topics: ["/public/a"], data: '{"p": 1.10}' });
  on.desk.hub.publish({ topics: ["/public/a"], data: "plain" });
  const first = await client.next();
  assert.match(String(first?.payload), /"data":\{"p": 1\.10\},"offset":1/);
  assert.equal((await client.heard()).push.pub.data, "plain");
});

test("connection: a message in fragments, between which a WebSocket ping is answered, is one message", async () => {
  await using on = await stage();
  const client = await on.dial();
  const text = Buffer.from(JSON.stringify({ id: 1, connect: {} }));
  client.frame(Opcode.text, text.subarray(0, 5), { final: false });
  client.frame(Opcode.ping, Buffer.from("hi"));
  client.frame(Opcode.continuation, text.subarray(5));
  assert.deepEqual(await client.next(), { opcode: Opcode.pong, payload: Buffer.from("hi") });
  assert.ok((await client.heard()).connect);
});

test("connection: a reset ends it as connection_reset", async () => {
  await using on = await stage();
  const client = await on.connected();
  client.socket.resetAndDestroy();
  await endsWith(on, client, null, CloseReason.connection_reset);
});

test("connection: after the client's close frame nothing is written but the answer", async () => {
  await using on = await stage();
  const client = await on.connected();
  client.say({ id: 2, subscribe: { channel: "/public/a" } });
  await client.heard();
  client.close(1000);
  const publishing = setInterval(() => on.desk.hub.publish({ topics: ["/public/a"], data: "1" }), 0);
  await endsWith(on, client, 1000, CloseReason.client_closed);
  clearInterval(publishing);
});

test("connection: what was said before the end still arrives, then the close frame", async () => {
  await using on = await stage();
  const client = await on.connected();
  client.say({ id: 2, rpc: {} }, { id: 3, connect: {} });
  assert.equal((await client.heard()).error.code, 108);
  await endsWith(on, client, 3501, CloseReason.bad_request);
});

for (const [reason, code, words] of [
  [CloseReason.shutdown, 3001, "shutdown"],
  [CloseReason.token_expired, 3005, "connection expired"],
  [CloseReason.forced_disconnect, 3503, "force disconnect"],
] as const) {
  test(`connection: the gateway's own end as ${reason} is told as ${code}`, async () => {
    await using on = await stage();
    const client = await on.connected();
    on.desk.registry.closeWhere(() => true, reason);
    assert.deepEqual(await client.ended(), { code, text: words });
    assert.deepEqual(on.ends(), { [`websocket:${reason}`]: 1 });
  });
}

test("connection: a second end changes nothing", async () => {
  await using on = await stage();
  const client = await on.connected();
  const [connection] = on.desk.registry;
  connection?.close(CloseReason.shutdown);
  connection?.close(CloseReason.server_error);
  await endsWith(on, client, 3001, CloseReason.shutdown);
});

test("connection: over limits.connectionsPerUser is 3504, and nobody else is counted", async () => {
  await using on = await stage({ limits: { connectionsPerUser: 1 } });
  const token = on.desk.authenticator.user("ann");
  const first = await RawWebSocket.connected(on.listener.port, { token });
  const second = await on.dial();
  second.say({ id: 1, connect: { token } });
  assert.deepEqual(await second.ended(), { code: 3504, text: "connection limit" });
  assert.ok((await RawWebSocket.connected(on.listener.port)).socket.readable);
  first.socket.destroy();
  await until("room", () => [...on.desk.registry].every((connection) => connection.identity.user === ""));
  assert.ok((await RawWebSocket.connected(on.listener.port, { token })).socket.readable);
});

test("connection: refused for the user's limit, a login leaves no session", async () => {
  await using on = await stage({ limits: { connectionsPerUser: 1 } });
  const token = on.desk.authenticator.user("ann", { password: "secret" });
  await RawWebSocket.connected(on.listener.port, { token });
  const second = await on.dial();
  second.say({ id: 1, connect: { data: { login: "ann", password: "secret" } } });
  assert.equal((await second.ended())?.code, 3504);
  assert.equal(on.desk.authenticator.sessions.size, 0);
});

test("connection: two connects of one user at once can't both take the last place", async () => {
  await using on = await stage({ limits: { connectionsPerUser: 1 } });
  const token = on.desk.authenticator.user("ann");
  const release = on.desk.authenticator.hold();
  const clients = await Promise.all([on.dial(), on.dial()]);
  for (const client of clients) client.say({ id: 1, connect: { token } });
  await until("both are checked", () => on.desk.registry.size === 2);
  release();
  await until("one is refused", () => on.desk.registry.size === 1);
  assert.deepEqual(on.ends(), { "websocket:connection_limit": 1 });
});

test("connection: leaving while credentials are checked leaves nothing behind", async () => {
  await using on = await stage();
  const token = on.desk.authenticator.user("ann");
  const release = on.desk.authenticator.hold();
  const client = await on.dial();
  client.say({ id: 1, connect: { token } }, { id: 2, subscribe: { channel: "/public/a" } });
  client.close(1000);
  await endsWith(on, client, 1000, CloseReason.client_closed);
  release();
  await new Promise<void>((resolve) => setImmediate(resolve));
  assert.equal(on.desk.registry.connectionsOf(await on.desk.authenticator.fromToken(token)), 0);
});

test("connection: pings go out, and silence ends it as no_pong", async () => {
  await using on = await stage({ heartbeat: { intervalMs: 100, timeoutMs: 60 } });
  const client = await on.connected();
  for (let answered = 0; answered < 3; answered++) {
    assert.deepEqual(await client.heard(), {});
    client.say({});
  }
  assert.deepEqual(await client.heard(), {});
  await endsWith(on, client, 3012, CloseReason.no_pong);
});

test("connection: a client that reads nothing is cut once its queue is full", async () => {
  await using on = await stage({ limits: { queueBytes: 100_000 } });
  const client = await on.connected();
  client.say({ id: 2, subscribe: { channel: "/public/a" } });
  await client.heard();
  client.socket.pause();
  const data = JSON.stringify("x".repeat(50_000));
  await until("it is cut", () => {
    on.desk.hub.publish({ topics: ["/public/a"], data });
    return on.desk.registry.sockets === 0;
  });
  assert.deepEqual(on.ends(), { "websocket:slow_consumer": 1 });
  client.socket.destroy();
});

test("connection: a flood of WebSocket pings whose answers are not read is cut", async () => {
  await using on = await stage();
  const client = await on.connected();
  client.socket.pause();
  const payload = Buffer.alloc(125);
  await until("it is cut", () => {
    for (let index = 0; index < 100; index++) client.frame(Opcode.ping, payload);
    return on.desk.registry.sockets === 0;
  });
  client.socket.destroy();
  assert.equal(on.desk.counters.closed.total, 1);
});

test("connection: a resume longer than its queue arrives whole at a client that reads in bits", async () => {
  await using on = await stage({ limits: { queueBytes: 200_000 } });
  const missed = 3000;
  const data = JSON.stringify("x".repeat(500));
  for (let index = 0; index < missed; index++) on.desk.hub.publish({ topics: ["/public/a"], data });
  const client = await on.connected();
  client.say({ id: 2, subscribe: { channel: "/public/a", recover: true, epoch: "life1", offset: 0 } });
  const { subscribe } = await client.heard();
  const got = subscribe.publications.map((publication: { offset: number }) => publication.offset);
  while (got.length < missed + 10) {
    client.socket.pause();
    if (got.length === 1000) {
      for (let index = 0; index < 10; index++) on.desk.hub.publish({ topics: ["/public/a"], data });
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
    client.socket.resume();
    got.push((await client.heard()).push.pub.offset);
  }
  assert.deepEqual(
    got,
    Array.from({ length: missed + 10 }, (_, index) => index + 1),
  );
});

test("connection: a lost topic is told as code 2500", async () => {
  await using on = await stage();
  const client = await on.connected();
  client.say({ id: 2, subscribe: { channel: "/public/a" } });
  await client.heard();
  for (const connection of on.desk.registry) {
    if (connection instanceof WebSocketConnection) connection.loseTopic("/public/a");
  }
  assert.equal((await client.heard()).push.unsubscribe.code, 2500);
});

test("connection: a thousand that come and go leave no connection, socket, subscriber or timer", async () => {
  await using on = await stage({ limits: { connections: 2000, connectionsPerAddress: 2000 } });
  for (let round = 0; round < 20; round++) {
    const clients = await Promise.all(Array.from({ length: 50 }, () => on.connected()));
    await Promise.all(
      clients.map(async (client, index) => {
        client.say({ id: 2, subscribe: { channel: `/public/${index}` } });
        await client.heard();
        if (index % 3 === 0) client.socket.resetAndDestroy();
        else if (index % 3 === 1) client.socket.end();
        else client.close(1000);
        await client.ended();
      }),
    );
  }
  await until("all are gone", () => on.desk.registry.sockets === 0 && on.listener.sockets.size === 0);
  assert.equal(on.desk.counters.opened.total, 1000);
  assert.equal(on.desk.hub.stats().topics, 0);
  assert.equal(on.desk.wheel.size, 0);
});
