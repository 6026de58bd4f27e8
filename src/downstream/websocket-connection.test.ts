import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { SystemClock } from "#base/system-clock.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { type TestDesk, type TestDeskOptions, testDesk } from "../../test/helpers/downstream-desk.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { Opcode, RawWebSocket, WebSocketListener } from "../../test/helpers/websocket-listener.ts";

interface Stage extends AsyncDisposable {
  readonly desk: TestDesk;
  readonly listener: WebSocketListener;
  dial(headers?: Record<string, string>, query?: string): Promise<RawWebSocket>;
  connected(): Promise<RawWebSocket>;
  /** How connections have ended so far. */
  ends(): Record<string, number>;
}

async function stage(options: Partial<TestDeskOptions> = {}): Promise<Stage> {
  const clock = new SystemClock();
  const desk = testDesk({ clock, ...options });
  const listener = await WebSocketListener.open(desk);
  return {
    desk,
    listener,
    dial: (headers, query) => RawWebSocket.dial(listener.port, headers, query),
    connected: () => RawWebSocket.connected(listener.port),
    ends: () => Object.fromEntries(desk.counters.closed.entries()),
    async [Symbol.asyncDispose]() {
      await listener[Symbol.asyncDispose]();
      await until("every socket is gone", () => desk.registry.sockets === 0);
      desk.wheel[Symbol.dispose]();
      assert.equal(desk.hub.stats().subscribers, 0, "no subscriber is left");
      assert.equal(desk.counters.opened.total, desk.counters.closed.total);
    },
  };
}

/** The connection ended for this reason, once, and the client was sent this code. */
async function endsWith(
  on: Stage,
  client: RawWebSocket,
  code: number | null,
  reason: CloseReason,
): Promise<void> {
  const ended = await client.ended();
  assert.equal(ended?.code ?? null, code);
  await until("the connection's end", () => on.desk.registry.sockets === 0);
  assert.deepEqual(on.ends(), { [`websocket:${reason}`]: 1 });
}

test("handshake: the key is answered and the JSON subprotocol accepted", async () => {
  await using on = await stage();
  const client = await on.dial({ "Sec-WebSocket-Protocol": "centrifuge-protobuf, centrifuge-json" });
  assert.match(client.head, /^HTTP\/1\.1 101 /);
  assert.match(client.head, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=/);
  assert.match(client.head, /Sec-WebSocket-Protocol: centrifuge-json/);
});

test("handshake: compression is not agreed to", async () => {
  await using on = await stage();
  const client = await on.dial({ "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits" });
  assert.match(client.head, /^HTTP\/1\.1 101 /);
  assert.doesNotMatch(client.head, /Extensions/i);
});

for (const [what, headers, query, status] of [
  ["a foreign page", { Origin: "https://evil.example" }, "", 403],
  ["an opaque origin", { Origin: "null" }, "", 403],
  ["protobuf by subprotocol", { "Sec-WebSocket-Protocol": "centrifuge-protobuf" }, "", 400],
  ["protobuf by format", {}, "?format=protobuf", 400],
  ["protobuf by cf_protocol", {}, "?cf_protocol=protobuf", 400],
  ["a bad key", { "Sec-WebSocket-Key": "short" }, "", 400],
  ["an unknown version", { "Sec-WebSocket-Version": "12" }, "", 400],
] as const) {
  test(`handshake: ${what} is refused with ${status}`, async () => {
    await using on = await stage();
    const client = await on.dial(headers, query);
    assert.match(client.head, new RegExp(`^HTTP/1\\.1 ${status} `));
    assert.equal(await client.ended(), null);
    assert.equal(on.desk.counters.opened.total, 0);
  });
}

test("handshake: the gateway's own page and a listed one are let in", async () => {
  await using on = await stage({ origins: ["https://app.example.com"] });
  for (const origin of [`http://127.0.0.1:${on.listener.port}`, "https://app.example.com"]) {
    assert.match((await on.dial({ Origin: origin })).head, /^HTTP\/1\.1 101 /);
  }
});

test("handshake: over limits.connections 503 and over those of an address 429, and room is made by leaving", async () => {
  await using on = await stage({ limits: { connections: 3, connectionsPerAddress: 2 } });
  const first = await on.connected();
  await on.connected();
  assert.match((await on.dial()).head, /^HTTP\/1\.1 429 /);
  assert.equal(on.desk.counters.errors.of("connectionsPerAddress"), 1);
  first.socket.destroy();
  await until("room", () => on.desk.registry.size === 1);
  assert.match((await on.dial()).head, /^HTTP\/1\.1 101 /);
});

test("handshake: a draining gateway answers 503", async () => {
  await using on = await stage({ isDraining: () => true });
  assert.match((await on.dial()).head, /^HTTP\/1\.1 503 /);
});

test("handshake: a client that resets before its refusal is sent hurts nobody", async () => {
  await using on = await stage({ limits: { connections: 0 } });
  const client = new RawWebSocket(on.listener.port);
  await once(client.socket, "connect");
  client.socket.write(
    "GET /connection/websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
  );
  client.socket.resetAndDestroy();
  await until("the socket is gone", () => on.listener.sockets.size === 0);
});

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

const text = Opcode.text;
for (const [what, attack, code, reason] of [
  [
    "a binary message",
    (client) => client.frame(Opcode.binary, Buffer.from("{}")),
    3506,
    CloseReason.inappropriate_protocol,
  ],
  [
    "a message that is no JSON",
    (client) => client.frame(text, Buffer.from("hello")),
    3501,
    CloseReason.bad_request,
  ],
  ["an empty message", (client) => client.frame(text, Buffer.alloc(0)), 3501, CloseReason.bad_request],
  [
    "a command before connect",
    (client) => client.say({ id: 1, history: { channel: "/a" } }),
    3501,
    CloseReason.bad_request,
  ],
  ["a pong out of the blue", (client) => client.say({}), 3501, CloseReason.bad_request],
  [
    "a message over limits.requestBytes",
    (client) => client.frame(text, Buffer.alloc(2049, " ")),
    1009,
    CloseReason.message_too_large,
  ],
  [
    "fragments that add up to more than limits.requestBytes",
    (client) => {
      client.frame(text, Buffer.alloc(1500, " "), { final: false });
      client.frame(Opcode.continuation, Buffer.alloc(1500, " "), { final: false });
    },
    1009,
    CloseReason.message_too_large,
  ],
  [
    "a frame that claims to be of 2^62 bytes",
    (client) => client.socket.write(Buffer.from("81ff400000000000000000000000", "hex")),
    1009,
    CloseReason.message_too_large,
  ],
  [
    "text that is no UTF-8",
    (client) => client.frame(text, Buffer.from([0xc3, 0x28])),
    1007,
    CloseReason.bad_request,
  ],
  [
    "a frame without a mask",
    (client) => client.frame(text, Buffer.from("{}"), { masked: false }),
    1002,
    CloseReason.bad_request,
  ],
  [
    "a frame with reserved bits",
    (client) => client.frame(text, Buffer.from("{}"), { reserved: 4 }),
    1002,
    CloseReason.bad_request,
  ],
  ["an unknown opcode", (client) => client.frame(3, Buffer.from("{}")), 1002, CloseReason.bad_request],
  [
    "a continuation of nothing",
    (client) => client.frame(Opcode.continuation, Buffer.from("{}")),
    1002,
    CloseReason.bad_request,
  ],
  [
    "a ping of 126 bytes",
    (client) => client.frame(Opcode.ping, Buffer.alloc(126)),
    1002,
    CloseReason.bad_request,
  ],
  ["a close frame with a reserved code", (client) => client.close(1006), 1002, CloseReason.bad_request],
  [
    "a close frame of one byte",
    (client) => client.frame(Opcode.close, Buffer.from([3])),
    1002,
    CloseReason.bad_request,
  ],
  [
    "a close frame with a code and a reason",
    (client) => client.close(1001, "bye"),
    1001,
    CloseReason.client_closed,
  ],
  [
    "a close frame without a code",
    (client) => client.frame(Opcode.close, Buffer.alloc(0)),
    1000,
    CloseReason.client_closed,
  ],
  ["a FIN without a close frame", (client) => client.socket.end(), null, CloseReason.client_closed],
] as [string, (client: RawWebSocket) => void, number | null, CloseReason][]) {
  test(`connection: ${what} ends it as ${reason}`, async () => {
    await using on = await stage({ limits: { requestBytes: 2048 } });
    const client = await on.dial();
    attack(client);
    await endsWith(on, client, code, reason);
  });
}

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
  const { WebSocketConnection } = await import("./websocket-connection.ts");
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
