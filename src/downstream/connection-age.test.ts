import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#base/virtual-clock.ts";
import { until } from "../../test/helpers/feed-server.ts";
import { MercureServer, turn } from "../../test/helpers/mercure-server.ts";
import { deskWith, TestClient } from "../../test/helpers/session-client.ts";
import { endsWith, stage } from "../../test/helpers/websocket-stage.ts";

const HOUR_MS = 3_600_000;

test("age: SSE clients that came together leave within the last quarter of their time, apart, and told when to come back", async () => {
  await using server = await MercureServer.open({ limits: { connectionAgeMs: HOUR_MS } });
  const clients = await Promise.all(Array.from({ length: 20 }, () => server.client("match=/public/x")));
  server.clock.advance(0.75 * HOUR_MS - 1000);
  await turn();
  assert.equal(server.registry.size, 20, "nobody is sent away before");
  server.clock.advance(HOUR_MS / 8);
  await turn();
  const half = server.registry.size;
  assert.ok(half > 0 && half < 20, `of 20 some are left halfway: ${half}`);
  server.clock.advance(HOUR_MS / 8 + 2000);
  await until("nobody is left", () => server.registry.size === 0);
  assert.equal(server.counters.closed.of("sse:too_old"), 20);
  for (const client of clients) {
    await until("the goodbye", () => client.socket.readableEnded);
    assert.match(client.body, /\nretry: \d+\n+$/);
    client[Symbol.dispose]();
  }
});

test("age: a WebSocket client is sent away with 3011, upon which SDKs reconnect", async () => {
  const clock = new VirtualClock();
  const heartbeat = { intervalMs: 24 * HOUR_MS, timeoutMs: 10_000 };
  await using on = await stage({ clock, heartbeat, limits: { connectionAgeMs: HOUR_MS } });
  const client = await on.connected();
  clock.advance(0.75 * HOUR_MS - 1000);
  assert.equal(on.desk.registry.size, 1);
  clock.advance(HOUR_MS / 4 + 2000);
  await endsWith(on, client, 3011, "too_old");
});

test("errors: a client whose commands go on failing ends with code 3509; one that asks for all its channels does not", async () => {
  const { desk, clock } = deskWith({ limits: { subscribersPerConnection: 100 } });
  const client = await new TestClient(desk).signIn();
  const denied = { subscribe: { channel: "/secret/x" } };
  const send = (...commands: object[]) => {
    client.send(...commands);
    client.session.goOn();
  };
  for (let count = 0; count < 150; count++) send(denied);
  assert.equal(client.closed, null);
  clock.advance(2000);
  send(denied, denied);
  assert.equal(client.closed, null, "as many come back as seconds have passed");
  send(denied);
  assert.equal(client.closed, "too_many_errors");
});
