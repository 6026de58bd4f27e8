import assert from "node:assert/strict";
import { test } from "node:test";
import { Watchdog } from "#app/watchdog.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { TopicRefused } from "#hub/hub.ts";
import { CLOSE_REASONS, CloseReason } from "#protocol/close-reason.ts";
import { until } from "../helpers/feed-server.ts";
import { openGateway, signIn } from "../helpers/gateway.ts";
import { MercureServer } from "../helpers/mercure-server.ts";
import { Opcode, RawWebSocket } from "../helpers/websocket-listener.ts";
import { endsWith, type Stage, stage } from "../helpers/websocket-stage.ts";

/**
 * One way to each reason by which a connection ends, seen on the wire and counted under its name. A reason without one
 * does not compile. Sockets are real; only what the operating system alone can do, to give a peer up, is put in.
 */
const WAYS: Readonly<Record<CloseReason, (reason: CloseReason) => Promise<void>>> = {
  client_closed: webSocket({}, (_, client) => client.close(1000), 1000),
  connection_reset: webSocket({}, (_, client) => void client.socket.resetAndDestroy(), null),
  timed_out: webSocket({}, (on) => failSocket(on, "ETIMEDOUT"), null),
  write_error: webSocket({}, (on) => failSocket(on, "EIO"), null),
  shutdown: gateway((open) => void open.drain("test")),
  forced_reconnect: gateway((open) => void open.cutConnections()),
  forced_disconnect: gateway(async (open, token) => {
    const headers = { authorization: `Bearer ${token}` };
    assert.ok((await fetch(`${open.url}/auth/logout`, { method: "POST", headers })).ok);
  }),
  server_error: stream({}, async (server) => {
    server.desk.subscriptions.add = () => {
      throw new Error("a fault of the gateway");
    };
    return await server.client("match=/public/x");
  }),
  insufficient_state: stream({ logBytesMax: 64 * 2 ** 20 }, async (server) => {
    // More than the sockets' buffers take, so that the replay waits for its reader, and the log passes it by.
    for (let count = 0; count < 200; count++) server.publish("/public/x", "x".repeat(200_000));
    const client = await server.client("match=/public/x&last_event_id=earliest");
    client.socket.pause();
    for (let count = 0; count < 300; count++) server.publish("/public/y", "y".repeat(200_000));
    client.socket.resume();
    return client;
  }),
  feed_full: stream({}, async (server) => {
    server.hub.subscribe = () => {
      throw new TopicRefused("/public/x");
    };
    return await server.client("match=/public/x");
  }),
  permission_denied: stream({}, async (server) => {
    const token = server.token("ann", { subscribe: ["/quotes/*"] });
    const client = await server.client("match=/quotes/x", { token });
    for (const connection of server.registry) connection.authorise(server.desk.authenticator.anonymous);
    return client;
  }),
  token_expired: later({ ttlMs: 60_000 }, 60_000 + 30_000),
  stale: async (reason) => {
    const clock = new VirtualClock();
    await using on = await stage({ clock });
    const client = await on.dial();
    clock.advance(11_000);
    await endsWith(on, client, 3502, reason);
  },
  no_pong: later({ heartbeat: { intervalMs: 1000, timeoutMs: 500 } }, 2500),
  too_old: later({ limits: { connectionAgeMs: 60_000 } }, 61_000),
  memory_pressure: async (reason) => {
    const clock = new VirtualClock();
    await using on = await stage({ clock });
    const client = await on.connected();
    const memory = { residentBytes: () => 999, heapShare: () => 0, collect() {} };
    using _watchdog = new Watchdog({ ...on.desk, memory, limitBytes: () => 1000 });
    clock.advance(10_000);
    await endsWith(on, client, 3011, reason);
  },
  slow_consumer: webSocket(
    { limits: { queueBytes: 16 * 1024 } },
    async (on, client) => {
      client.say({ id: 2, subscribe: { channel: "/public/x" } });
      await client.heard();
      client.socket.pause();
      await until("it is cut", () => {
        on.desk.hub.publish({ topics: ["/public/x"], data: JSON.stringify("x".repeat(60_000)) });
        return on.desk.registry.size === 0;
      });
      client.socket.resume();
    },
    null,
  ),
  too_many_requests: webSocket(
    { limits: { commandsPerSecond: 1, subscribersPerConnection: 1 } },
    (_, client) => {
      for (let id = 2; id < 20; id++) client.say({ id, history: { channel: "/public/x", limit: 0 } });
    },
  ),
  too_many_errors: webSocket({ limits: { subscribersPerConnection: 1 } }, (_, client) => {
    for (let id = 2; id < 60; id++) client.say({ id, rpc: {} });
  }),
  bad_request: webSocket({}, (_, client) => client.say({ id: 2, connect: {} })),
  inappropriate_protocol: webSocket({}, (_, client) => client.frame(Opcode.binary, Buffer.from([1, 2]))),
  message_too_large: webSocket({ limits: { requestBytes: 1024 } }, (_, client) =>
    client.frame(Opcode.text, Buffer.alloc(1025, 0x20)),
  ),
  invalid_token: async (reason) => {
    await using on = await stage();
    const client = await on.dial();
    client.say({ id: 1, connect: { token: "nobody's" } });
    await endsWith(on, client, 3500, reason);
  },
  connection_limit: async (reason) => {
    await using on = await stage({ limits: { connectionsPerUser: 1 } });
    const token = on.desk.authenticator.user("ann");
    await RawWebSocket.connected(on.listener.port, { token });
    const second = await on.dial();
    second.say({ id: 1, connect: { token } });
    assert.equal((await second.ended())?.code, 3504);
    await until("it is counted", () => on.ends()[`websocket:${reason}`] === 1);
  },
};

for (const reason of Object.values(CloseReason)) {
  const { websocketCode } = CLOSE_REASONS[reason];
  test(`reason: ${reason}${websocketCode === null ? "" : `, code ${websocketCode},`} is told and counted`, () =>
    WAYS[reason](reason));
}

type Options = Parameters<typeof stage>[0];

/** @param code of the close frame; null: none comes. Default: the table's */
function webSocket(
  options: NonNullable<Options>,
  provoke: (on: Stage, client: RawWebSocket) => void | Promise<void>,
  code?: number | null,
) {
  return async (reason: CloseReason) => {
    await using on = await stage(options);
    const client = await on.connected();
    await provoke(on, client);
    await endsWith(on, client, code === undefined ? CLOSE_REASONS[reason].websocketCode : code, reason);
  };
}

/** What comes of itself when time passes. */
function later({ ttlMs, ...options }: NonNullable<Options> & { ttlMs?: number }, passMs: number) {
  return async (reason: CloseReason) => {
    const clock = new VirtualClock();
    const quiet = { intervalMs: 10 ** 9, timeoutMs: 1000 };
    await using on = await stage({ heartbeat: quiet, ...options, clock });
    const token = on.desk.authenticator.user("ann", ttlMs === undefined ? {} : { ttlMs });
    const client = await RawWebSocket.connected(on.listener.port, { token });
    clock.advance(passMs);
    await endsWith(on, client, CLOSE_REASONS[reason].websocketCode, reason);
  };
}

/** The server's end of the socket fails with a code of the system's. */
function failSocket(on: Stage, code: string): void {
  for (const socket of on.listener.sockets) socket.destroy(Object.assign(new Error(code), { code }));
}

/** An SSE stream that ends. The client sees the end of its body, and mostly when to come back. */
function stream(
  options: Parameters<typeof MercureServer.open>[0],
  begin: (server: MercureServer) => ReturnType<MercureServer["client"]>,
) {
  return async (reason: CloseReason) => {
    await using server = await MercureServer.open(options);
    using client = await begin(server);
    await client.ended();
    assert.equal(server.counters.closed.of(`sse:${reason}`), 1);
    assert.equal(server.counters.closed.total, 1);
    if (reason !== CloseReason.permission_denied) assert.match(client.body, /(^|\n)retry: \d+\n+$/);
  };
}

/** A whole gateway, whose metrics are asked. */
function gateway(
  act: (open: Awaited<ReturnType<typeof openGateway>>, token: string) => void | Promise<void>,
) {
  return async (reason: CloseReason) => {
    await using open = await openGateway("drain: { timeout: 1s }");
    const token = await signIn(open);
    const client = await RawWebSocket.connected(Number(new URL(open.url).port), { token });
    const before = open.totals().closed;
    await act(open, token);
    assert.equal((await client.ended())?.code, CLOSE_REASONS[reason].websocketCode);
    assert.equal(open.totals().closed, before + 1);
    if (reason === CloseReason.shutdown) return;
    const metrics = await (await fetch(`${open.url}/metrics`)).text();
    assert.ok(metrics.includes(`connections_closed_total{transport="websocket",reason="${reason}"} 1`));
  };
}
