import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { until } from "../../test/helpers/feed-server.ts";
import { RawWebSocket } from "../../test/helpers/websocket-listener.ts";
import { stage } from "../../test/helpers/websocket-stage.ts";

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
