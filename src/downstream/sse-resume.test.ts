import assert from "node:assert/strict";
import { test } from "node:test";
import { MercureServer, turn } from "../../test/helpers/mercure-server.ts";
import { SseClient } from "../../test/helpers/sse-client.ts";

test("resume: exactly what was missed, by cursor, by field and parameter, the field winning", async () => {
  await using server = await MercureServer.open();
  for (const data of ["1", "2", "3"]) server.publish("/public/a", data);
  server.publish("/public/b", "x");
  using byField = await server.client("match=/public/a", { lastEventId: "#e.1" });
  using byParameter = await server.client("match=/public/a&last_event_id=%23e.2");
  using both = await server.client("match=/public/a&last_event_id=%23e.1", { lastEventId: "#e.2" });
  assert.deepEqual(await byField.data(2), ["2", "3"]);
  assert.deepEqual(await byParameter.data(1), ["3"]);
  assert.deepEqual(await both.data(1), ["3"]);
  assert.equal(byField.header("mercure-last-event-id"), "#e.1");
  assert.equal(both.header("mercure-last-event-id"), "#e.2");
  server.publish("/public/a", "4");
  assert.deepEqual(await byField.data(3), ["2", "3", "4"]);
  assert.equal(server.counters.resumes.of("sse:recovered"), 3);
});

test("resume: by the publisher's own id; of equal ids the earliest counts", async () => {
  await using server = await MercureServer.open();
  for (const [id, data] of [
    ["a", "1"],
    ["b", "2"],
    ["a", "3"],
    ["c", "4"],
  ] as const) {
    server.publish("/public/a", data, { id });
  }
  using sse = await server.client("match=/public/a", { lastEventId: "a" });
  assert.deepEqual(await sse.data(3), ["2", "3", "4"]);
  assert.equal(sse.header("mercure-last-event-id"), "a");
});

test("resume: 'earliest' brings all that is held", async () => {
  await using server = await MercureServer.open();
  for (const data of ["1", "2"]) server.publish("/public/a", data, { state: "last" });
  using sse = await server.client("match=/public/a&last_event_id=earliest");
  assert.deepEqual(await sse.data(2), ["1", "2"]);
  assert.equal(sse.header("mercure-last-event-id"), "earliest");
  assert.equal(server.counters.resumes.total, 0);
});

test("resume: what can't be exact is told: by the field, and by a gap event since scripts see no fields", async () => {
  await using server = await MercureServer.open();
  server.publish("/public/a", "held");
  for (const lastEventId of ["#before.7", "#e.99", "unknown", "x".repeat(3000)]) {
    using sse = await server.client("match=/public/a", { lastEventId });
    await sse.data(2);
    assert.equal(sse.header("mercure-last-event-id"), "earliest");
    const [gap, event] = sse.events;
    assert.equal(gap?.event, "gap");
    assert.deepEqual(JSON.parse(gap?.data ?? ""), {
      topics: ["/public/a"],
      after: lastEventId.slice(0, 1025),
      resumed: "#e.0",
    });
    assert.equal(event?.data, "held");
  }
  assert.equal(server.counters.resumes.of("sse:unrecovered"), 4);
});

test("resume: from before what the log holds is told as a gap, and what is held follows", async () => {
  await using server = await MercureServer.open({ logBytesMax: 4000 });
  for (let index = 1; index <= 50; index++) server.publish("/public/a", `${index}`);
  assert.ok(server.hub.evictedThrough > 5);
  using sse = await server.client("match=/public/a", { lastEventId: "#e.3" });
  const held = 50 - server.hub.evictedThrough;
  const [gap, ...data] = await sse.data(1 + held);
  assert.match(gap ?? "", /"after":"#e\.3"/);
  assert.deepEqual(
    data,
    Array.from({ length: held }, (_, index) => `${server.hub.evictedThrough + 1 + index}`),
  );
});

test("states: large ones come in pieces, all of them before what is live, and their heartbeats have no cursor", async () => {
  await using server = await MercureServer.open({ limits: { queueBytes: 128 * 1024 } });
  const topics = Array.from({ length: 40 }, (_, index) => `/public/${index}`);
  const state = (n: number) => JSON.stringify({ n, text: "x".repeat(10_000) });
  for (const topic of topics) server.publish(topic, state(1), { state: "last" });
  using sse = await server.client(topics.map((topic) => `match=${topic}`).join("&"));
  sse.socket.pause();
  const [connection] = [...server.registry];
  assert.ok(connection);
  assert.ok(connection.queuedBytes < 128 * 1024, `${connection.queuedBytes} bytes wait`);
  // Changes while the states are on their way: of a topic whose state was sent, and of one whose was not.
  server.publish("/public/0", state(2), { state: "last" });
  server.publish("/public/39", state(2), { state: "last" });
  server.clock.advance(26_000);
  sse.socket.resume();
  await sse.until(() => sse.body.includes(": live"));
  const before = sse.events.slice(0, 40).map(({ data }) => JSON.parse(data).n);
  assert.deepEqual(before, [...topics.slice(1).map(() => 1), 2], "each topic's state, the newest");
  assert.equal(server.counters.closed.total, 0);
  await sse.data(41);
  assert.equal(JSON.parse(sse.events[40]?.data ?? "").n, 2);
  server.publish("/public/39", state(3), { state: "last" });
  await sse.data(42);
  assert.equal(JSON.parse(sse.events[41]?.data ?? "").n, 3, "nothing comes twice");
  const head = sse.body.slice(0, sse.body.indexOf(": live"));
  assert.equal(/^id: #e\.(?!0$)/m.test(head), false, "no cursor before all states are there");
});

test("resume: replayed events are authorised again", async () => {
  await using server = await MercureServer.open();
  server.publish("/public/a", "private", { private: true });
  server.publish("/public/a", "public");
  using nobody = await server.client("match=/public/a", { lastEventId: "#e.0" });
  assert.deepEqual(await nobody.data(1), ["public"]);
  using pattern = await server.client("match_urlpattern=/*", { lastEventId: "#e.0" });
  assert.deepEqual(await pattern.data(1), ["public"]);
});

test("resume: replay and live events join without a hole or a double, however slowly it is read", async () => {
  await using server = await MercureServer.open();
  const filler = "x".repeat(2000);
  const total = 3000;
  for (let index = 1; index <= 2000; index++) server.publish("/public/a", `${index} ${filler}`);
  using sse = new SseClient(server.url, "match=/public/a", { lastEventId: "#e.0" });
  sse.socket.pause();
  while (server.registry.size === 0) await turn();
  for (let index = 2001; index <= total; index++) {
    server.publish("/public/a", `${index} ${filler}`);
    if (index % 100 === 0) await turn();
    if (index === 2500) sse.socket.resume();
  }
  await sse.data(total);
  server.publish("/public/a", "last");
  await sse.data(total + 1);
  assert.deepEqual(
    sse.events.map((event) => event.id),
    Array.from({ length: total + 1 }, (_, index) => `#e.${index + 1}`),
  );
});

test("resume: a replay that the log overtakes ends with insufficient_state, never with a silent hole", async () => {
  await using server = await MercureServer.open({ logBytesMax: 64 * 1024 * 1024 });
  // More than the sockets' buffers take, so that the replay waits for its reader.
  const filler = "x".repeat(200_000);
  for (let index = 0; index < 100; index++) server.publish("/public/a", filler);
  using sse = new SseClient(server.url, "match=/public/a", { lastEventId: "#e.0" });
  sse.socket.pause();
  while (server.registry.size === 0) await turn();
  for (let index = 0; index < 20; index++) await turn();
  for (let index = 0; index < 120; index++) server.publish("/public/a", filler);
  sse.socket.resume();
  await sse.ended();
  const ids = sse.events.map((event) => Number(event.id?.slice(3)));
  assert.deepEqual(
    ids,
    ids.map((_, index) => index + 1),
  );
  assert.equal(server.counters.closed.of("sse:insufficient_state"), 1);
});

test("state: a new subscriber of an exact topic gets its state first, and then may resume exactly", async () => {
  await using server = await MercureServer.open();
  server.publish("/public/a", '{"bid":1}', { state: "merge" });
  server.publish("/public/a", '{"ask":2}', { state: "merge" });
  server.publish("/public/b", "other");
  using sse = await server.client("match=/public/a");
  assert.deepEqual(
    (await sse.data(1)).map((data) => JSON.parse(data)),
    [{ bid: 1, ask: 2 }],
  );
  // The state's own id stands before everything: cut right after it, the client gets states again.
  assert.equal(sse.events[0]?.id, "#e.0");
  assert.equal(sse.lastEventId, "#e.3");
  sse.cut();
  server.publish("/public/a", '{"bid":3}', { state: "merge" });
  using again = await server.client("match=/public/a", { lastEventId: sse.lastEventId });
  assert.deepEqual(await again.data(1), ['{"bid":3}']);
});

test("state: after a gap the state comes, and not the changes that it holds already", async () => {
  await using server = await MercureServer.open();
  server.publish("/public/a", '{"bid":1}', { state: "merge" });
  server.publish("/public/b", "kept");
  server.publish("/public/a", '{"ask":2}', { state: "merge" });
  using sse = await server.client("match=/public/a&match=/public/b", { lastEventId: "#gone.1" });
  server.publish("/public/a", '{"bid":4}', { state: "merge" });
  const [, state, ...events] = await sse.data(4);
  assert.deepEqual(JSON.parse(state ?? ""), { bid: 1, ask: 2 });
  assert.deepEqual(events, ["kept", '{"bid":4}']);
});

test("state: a private state goes only to who may have it", async () => {
  await using server = await MercureServer.open();
  server.publish("/public/a", "secret", { state: "last", private: true });
  using nobody = await server.client("match=/public/a");
  server.publish("/public/a", "open");
  assert.deepEqual(await nobody.data(1), ["open"]);
});
