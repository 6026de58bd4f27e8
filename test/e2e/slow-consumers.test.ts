import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "#base/virtual-clock.ts";
import { until } from "../helpers/feed-server.ts";
import { MercureServer, turn } from "../helpers/mercure-server.ts";
import type { SseClient } from "../helpers/sse-client.ts";
import { stage } from "../helpers/websocket-stage.ts";

const PADDING = "x".repeat(4000);

/** Publishes numbered states of a few topics until nothing more fits on the way to a client that does not read. */
async function publishUntil(
  isEnough: () => boolean,
  publish: (topic: string, n: number) => void,
): Promise<number> {
  let n = 0;
  while (!isEnough()) {
    for (let topic = 0; topic < 5; topic++) publish(`/public/${topic}`, n);
    n++;
    await turn();
  }
  return n;
}

const numbersOf = (client: SseClient, topic: number) =>
  client.events
    .map(({ data }) => JSON.parse(data) as { topic: string; n: number })
    .filter((state) => state.topic === `/public/${topic}`)
    .map(({ n }) => n);

test("conflate: an SSE client that stops reading and goes on gets each topic's newest state, in order, without older ones, and stays", async () => {
  await using server = await MercureServer.open({
    slowConsumer: "conflate",
    limits: { queueBytes: 256 * 1024 },
  });
  const publish = (topic: string, n: number) =>
    void server.publish(topic, JSON.stringify({ topic, n, [`field${n % 10}`]: n, PADDING }), {
      state: "merge",
    });
  using slow = await server.client("match_urlpattern=/public/*");
  using quick = await server.client("match_urlpattern=/public/*");
  slow.socket.pause();
  const conflated = () => server.counters.slowConsumers.of("conflate") === 1;
  await publishUntil(conflated, publish);
  for (let n = 10_000; n < 10_500; n++)
    for (let topic = 0; topic < 5; topic++) publish(`/public/${topic}`, n);
  assert.equal(server.registry.size, 2, "it is kept");
  await quick.until(() => numbersOf(quick, 4).at(-1) === 10_499);
  slow.socket.resume();
  await slow.until(() => [0, 1, 2, 3, 4].every((topic) => numbersOf(slow, topic).at(-1) === 10_499));
  for (let topic = 0; topic < 5; topic++) {
    const numbers = numbersOf(slow, topic);
    assert.deepEqual(
      numbers,
      [...new Set(numbers)].toSorted((one, other) => one - other),
      "in order, each once",
    );
    assert.equal(numbers.filter((n) => n >= 10_000).length, 1, "what is older than the newest is not sent");
  }
  // The newest is the whole state, fields of events that were never sent included.
  const newest = JSON.parse(slow.events.at(-1)?.data ?? "") as Record<string, number>;
  for (let field = 0; field < 10; field++) assert.equal(newest[`field${field}`], 10_490 + field);
  publish("/public/0", 20_000);
  await slow.until(() => numbersOf(slow, 0).at(-1) === 20_000);
  assert.equal(server.counters.closed.total, 0);
});

test("conflate: a client that is cut while behind resumes from its last id and misses no topic's newest state", async () => {
  await using server = await MercureServer.open({
    slowConsumer: "conflate",
    limits: { queueBytes: 256 * 1024 },
  });
  const publish = (topic: string, n: number) =>
    void server.publish(topic, JSON.stringify({ topic, n, PADDING }), { state: "last" });
  using slow = await server.client("match_urlpattern=/public/*");
  slow.socket.pause();
  const n = await publishUntil(() => server.counters.slowConsumers.of("conflate") === 1, publish);
  slow.socket.resume();
  await slow.until(() => slow.events.length > 3);
  slow.cut();
  using back = await server.client("match_urlpattern=/public/*", { lastEventId: slow.lastEventId });
  await back.until(() =>
    [0, 1, 2, 3, 4].every((topic) => [...numbersOf(slow, topic), ...numbersOf(back, topic)].at(-1) === n - 1),
  );
});

test("conflate: topics without state are never thinned out: at the bound their client is sent away", async () => {
  await using server = await MercureServer.open({
    slowConsumer: "conflate",
    limits: { queueBytes: 256 * 1024 },
  });
  using slow = await server.client("match_urlpattern=/public/*");
  slow.socket.pause();
  await publishUntil(
    () => server.registry.size === 0,
    (topic, n) => void server.publish(topic, JSON.stringify({ topic, n, PADDING })),
  );
  assert.deepEqual(Object.fromEntries(server.counters.slowConsumers.entries()), {
    disconnect: 1,
    conflate: 0,
  });
  assert.equal(server.counters.closed.of("sse:slow_consumer"), 1);
});

test("conflate: a WebSocket client that is behind gets the newest state of its channel, at its offset", async () => {
  await using on = await stage({ slowConsumer: "conflate", limits: { queueBytes: 256 * 1024 } });
  const client = await on.connected();
  client.say({ id: 2, subscribe: { channel: "/public/x" } });
  await client.heard();
  client.socket.pause();
  let n = 0;
  const publish = () =>
    on.desk.hub.publish({ topics: ["/public/x"], data: JSON.stringify({ n: n++, PADDING }), state: "last" });
  while (on.desk.counters.slowConsumers.of("conflate") === 0) {
    for (let burst = 0; burst < 10; burst++) publish();
    await turn();
  }
  for (let more = 0; more < 1000; more++) publish();
  client.socket.resume();
  const seen: number[] = [];
  for (let last = -1; last < n - 1; ) {
    const frame = await client.next();
    for (const line of frame?.payload.toString().split("\n") ?? []) {
      const { pub } = (JSON.parse(line) as { push: { pub: { data: { n: number }; offset: number } } }).push;
      last = pub.data.n;
      assert.equal(pub.offset, last + 1);
      seen.push(last);
    }
  }
  assert.ok(seen.length <= n - 1000, `${seen.length} of ${n} were sent`);
  assert.deepEqual(
    seen,
    seen.toSorted((one, other) => one - other),
  );
  client.socket.destroy();
  await until("it is gone", () => on.desk.registry.size === 0);
});

for (const slowConsumer of ["disconnect", "conflate"] as const) {
  test(`write deadline: with ${slowConsumer}, a client that takes nothing for heartbeat.timeout is cut, however little waits`, async () => {
    await using server = await MercureServer.open({ slowConsumer, limits: { queueBytes: 2 ** 30 } });
    using slow = await server.client("match_urlpattern=/public/*");
    slow.socket.pause();
    const [connection] = server.registry;
    await publishUntil(
      () => (connection?.queuedBytes ?? 0) > 100_000,
      (topic, n) => void server.publish(topic, JSON.stringify({ topic, n, PADDING }), { state: "last" }),
    );
    // The wheel is late by up to two ticks.
    server.clock.advance(10_200);
    assert.equal(server.counters.closed.of("sse:slow_consumer"), 1);
    assert.equal(server.registry.size, 0);
  });
}

test("write deadline: a WebSocket client that takes nothing for heartbeat.timeout is cut then, and not at its next ping", async () => {
  const clock = new VirtualClock();
  await using on = await stage({ clock, limits: { queueBytes: 2 ** 30 } });
  const client = await on.connected();
  client.say({ id: 2, subscribe: { channel: "/public/x" } });
  await client.heard();
  client.socket.pause();
  const [connection] = on.desk.registry;
  await publishUntil(
    () => (connection?.queuedBytes ?? 0) > 100_000,
    (_, n) => void on.desk.hub.publish({ topics: ["/public/x"], data: JSON.stringify({ n, PADDING }) }),
  );
  clock.advance(9_900);
  assert.equal(connection?.closed, null);
  clock.advance(300);
  assert.deepEqual(on.ends(), { "websocket:slow_consumer": 1 });
  client.socket.destroy();
});

test("slow neighbours: twenty that never read cost their bounds, and those who read get everything all the while", async () => {
  const queueBytes = 256 * 1024;
  await using server = await MercureServer.open({ limits: { queueBytes } });
  const readers = await Promise.all(
    Array.from({ length: 20 }, () => server.client("match_urlpattern=/public/*")),
  );
  const slow = await Promise.all(
    Array.from({ length: 20 }, () => server.client("match_urlpattern=/public/*")),
  );
  for (const client of slow) client.socket.pause();
  let most = 0;
  const rounds = await publishUntil(
    () => {
      most = Math.max(most, server.registry.sums().queuedBytes);
      return server.registry.size === readers.length;
    },
    (topic, n) => void server.publish(topic, JSON.stringify({ topic, n, PADDING })),
  );
  // A round is 20 kB, by which a bound may be passed before it is looked at.
  assert.ok(most <= (slow.length + readers.length) * (queueBytes + 40_000), `${most} bytes were queued`);
  assert.equal(server.counters.slowConsumers.of("disconnect"), slow.length);
  for (const reader of readers) {
    await reader.data(5 * rounds);
    assert.equal(reader.events.length, 5 * rounds);
    reader[Symbol.dispose]();
  }
  for (const client of slow) client[Symbol.dispose]();
});
