import assert from "node:assert/strict";
import { test } from "node:test";
import type { CloseReason } from "#protocol/close-reason.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { sumWhere, type TruthStage, truthStage } from "../helpers/truth-stage.ts";
import { Opcode, RawWebSocket } from "../helpers/websocket-listener.ts";

/** Bounds that only one way wants. */
const LIMITS: Partial<Readonly<Record<string, string>>> = {
  connection_limit: "connectionsPerUser: 1",
  too_many_errors: "commandsPerSecond: 1000",
  too_many_requests: "commandsPerSecond: 1",
  too_old: "connectionAge: 2m",
};

const yaml = (url: string, reason: string) => `
feeds:
  quotes:
    url: ${url}/quotes?symbols={keys}
    topic: /quotes/{key}
    key: /symbol
    pool: { gather: 10ms, linger: 0ms, linksMax: 1, keysPerLink: 1 }
    health: { eventBytesMax: 8KiB }
limits: { queueBytes: 16KiB, requestBytes: 1KiB, subscribersPerConnection: 1, ${LIMITS[reason] ?? ""} }
`;

/** What one way to an end adds beside the end itself. */
type More = Readonly<Record<string, number>>;
/** Opens connections and has them end; answers what else is counted. */
type Way = (on: TruthStage) => Promise<More>;

const closeById = async (on: TruthStage, reconnect: boolean): Promise<void> => {
  const { connections } = await on.admin("connections");
  for (const { id } of connections)
    assert.ok((await on.post(`/admin/api/v1/connections/${id}/close`, { reconnect }, on.root)).ok);
};

const webSocket =
  (provoke: (client: RawWebSocket, on: TruthStage) => unknown, more: More = {}): Way =>
  async (on) => {
    const client = await RawWebSocket.connected(on.port, { token: on.ann });
    await provoke(client, on);
    await client.ended();
    return more;
  };

const stream =
  (provoke: (client: SseClient, on: TruthStage) => unknown, more: More = {}): Way =>
  async (on) => {
    using client = await new SseClient(on.gateway.url, "match=/chat/1", { token: on.ann }).opened();
    await provoke(client, on);
    await client.ended();
    return more;
  };

/** Events until the client, which does not read, is sent away; each was handed to it but the last. */
async function flood(socket: { pause(): void; resume(): void }, { gateway }: TruthStage): Promise<void> {
  socket.pause();
  const { closed } = gateway.totals();
  while (gateway.totals().closed === closed) {
    gateway.hub.publish({ topics: ["/chat/1"], data: JSON.stringify("x".repeat(15_000)) });
    await new Promise(setImmediate);
  }
  socket.resume();
}

const SLOW: More = { 'slow_consumers_total{verdict="disconnect"}': 1 };

const advance = (ms: number) => (_client: unknown, on: TruthStage) => on.clock.advance(ms);
const errors = (code: string, count = 1): More => ({
  [`errors_total{room="downstream",code="${code}"}`]: count,
});

const WEBSOCKET: Partial<Readonly<Record<CloseReason, Way>>> = {
  client_closed: webSocket((client) => client.close(1000)),
  connection_reset: webSocket((client) => void client.socket.resetAndDestroy(), {
    'connection_resets_total{side="downstream"}': 1,
  }),
  forced_reconnect: webSocket((_, on) => closeById(on, true)),
  forced_disconnect: webSocket((_, on) => closeById(on, false)),
  bad_request: webSocket((client) => client.say({ id: 2, connect: {} })),
  inappropriate_protocol: webSocket((client) => client.frame(Opcode.binary, Buffer.from([1]))),
  message_too_large: webSocket((client) => client.frame(Opcode.text, Buffer.alloc(1025, 0x20))),
  too_many_requests: webSocket((client) => {
    for (let id = 2; id < 30; id++) client.say({ id, send: {} }, { id, history: { channel: "/chat/1" } });
  }),
  slow_consumer: webSocket(async (client, on) => {
    client.say({ id: 2, subscribe: { channel: "/chat/1" } });
    await client.heard();
    await flood(client.socket, on);
  }, SLOW),
  no_pong: webSocket(advance(26_000 + 11_000)),
  too_many_errors: async (on) => {
    const client = await RawWebSocket.connected(on.port, { token: on.ann });
    let answers = 0;
    for (let id = 2; id < 60; id++) client.say({ id, rpc: {} });
    for (let frame = await client.next(); frame?.opcode === Opcode.text; frame = await client.next())
      answers += frame.payload.toString().split("\n").length;
    // Each error that was answered was counted.
    return errors("not_available", answers);
  },
  connection_limit: async (on) => {
    const first = await RawWebSocket.connected(on.port, { token: on.ann });
    const second = await RawWebSocket.dial(on.port);
    second.say({ id: 1, connect: { token: on.ann } });
    assert.equal((await second.ended())?.code, 3504);
    first.close(1000);
    await first.ended();
    on.ledger.add("connections_opened_total");
    on.ledger.add('connections_closed_total{transport="websocket",reason="client_closed"}');
    return {};
  },
  stale: async (on) => {
    const client = await RawWebSocket.dial(on.port);
    await on.until("it is in", () => on.gateway.stats().connections.websocket === 1);
    on.clock.advance(11_000);
    await client.ended();
    return {};
  },
  invalid_token: async (on) => {
    const client = await RawWebSocket.dial(on.port);
    client.say({ id: 1, connect: { token: "not.a.token" } });
    await client.ended();
    return { 'auth_failures_total{method="token",reason="invalid_token"}': 1 };
  },
};

const SSE: Partial<Readonly<Record<CloseReason, Way>>> = {
  client_closed: stream((client) => void client.socket.end()),
  connection_reset: stream((client) => client.cut(), { 'connection_resets_total{side="downstream"}': 1 }),
  forced_reconnect: stream((_, on) => closeById(on, true)),
  forced_disconnect: stream((_, on) => closeById(on, false)),
  slow_consumer: stream((client, on) => flood(client.socket, on), SLOW),
  too_old: stream(advance(121_000)),
  token_expired: stream(advance(15 * 60_000 + 31_000)),
  feed_full: async (on) => {
    using first = await new SseClient(on.gateway.url, "match=/quotes/A", { token: on.ann }).opened();
    await on.until("the only link is taken", () => on.gateway.stats().keys === 1);
    using second = await new SseClient(on.gateway.url, "match=/quotes/B", { token: on.ann }).opened();
    await second.ended();
    first.socket.end();
    await first.ended();
    await on.until("the key is let go", () => on.gateway.stats().keys === 0);
    on.ledger.add("connections_opened_total");
    on.ledger.add('connections_closed_total{transport="sse",reason="client_closed"}');
    return { 'feed_keys_refused_total{feed="quotes",by="gateway"}': 1, ...errors("feed_full") };
  },
};

for (const [transport, ways] of [
  ["websocket", WEBSOCKET],
  ["sse", SSE],
] as const) {
  for (const [reason, way] of Object.entries(ways)) {
    test(`metrics' truth: ${transport} connections that end as ${reason} are counted once, and nothing else is`, async (t) => {
      const on = await truthStage(t, (url) => yaml(url, reason));
      const { ledger } = on;
      ledger.set('database_connections{state="idle"}', 1);
      const more = await way(on);
      ledger.add("connections_opened_total");
      ledger.add(`connections_closed_total{transport="${transport}",reason="${reason}"}`);
      if (transport === "sse" && reason !== "client_closed")
        ledger.add(`sse_drops_total{side="downstream",reason="${reason}"}`);
      const closed = sumWhere(ledger.samples, "connections_closed_total{");
      ledger.set(`connection_duration_seconds_count{transport="${transport}"}`, closed);
      for (const [series, count] of Object.entries(more)) ledger.add(series, count);
      // How many events a client's socket takes before it is too slow is the machine's.
      const deliveries = (value: number) => (reason === "slow_consumer" ? value >= 0 : value === 0);
      await on.compare({ delivery_lag_seconds_count: (value) => value >= 0, deliveries_total: deliveries });
    });
  }
}
