import assert from "node:assert/strict";
import { test } from "node:test";
import { FeedServer } from "../helpers/feed-server.ts";
import { feedYaml, openGateway, signIn } from "../helpers/gateway.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { WebSocketClient } from "../helpers/websocket-client.ts";

const TOPIC = "/quotes/AAPL";
const QUERY = `match=${TOPIC}`;

async function stage() {
  const feed = await FeedServer.open();
  const gateway = await openGateway(feedYaml(`${feed.origin}/quotes?symbols={keys}`));
  const token = await signIn(gateway);
  const publish = (price: number) => feed.publish("AAPL", { symbol: "AAPL", price });
  return {
    feed,
    gateway,
    token,
    publish,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]();
      await feed[Symbol.asyncDispose]();
    },
  };
}

function prices(data: readonly unknown[]): number[] {
  return data.map((item) => (typeof item === "string" ? JSON.parse(item) : item).price);
}

test("cursor: one feed event reaches a WebSocket and an SSE client of a topic with the same cursor", async () => {
  await using all = await stage();
  const { gateway, token } = all;
  using sse = await new SseClient(gateway.url, QUERY, { token }).opened();
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  const { epoch } = await socket.subscribe(TOPIC);
  await all.feed.streaming("AAPL");
  for (const price of [1, 2, 3]) all.publish(price);
  assert.deepEqual(prices(await sse.data(3)), [1, 2, 3]);
  assert.deepEqual(prices(await socket.data(3)), [1, 2, 3]);
  assert.deepEqual(
    sse.events.map((event) => event.id),
    socket.publications.map((publication) => `#${epoch}.${publication.offset}`),
  );
});

test("cursor: an SSE client that was cut resumes by WebSocket and gets exactly what it missed", async () => {
  await using all = await stage();
  const { gateway, token } = all;
  const sse = await new SseClient(gateway.url, QUERY, { token }).opened();
  using watcher = await new SseClient(gateway.url, QUERY, { token }).opened();
  await all.feed.streaming("AAPL");
  for (const price of [1, 2, 3]) all.publish(price);
  await sse.data(3);
  const cursor = /^#(.+)\.(\d+)$/.exec(sse.lastEventId) as RegExpExecArray;
  sse.cut();
  for (const price of [4, 5, 6]) all.publish(price);
  await watcher.data(6);
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  const result = await socket.subscribe(TOPIC, {
    recover: true,
    epoch: cursor[1],
    offset: Number(cursor[2]),
  });
  assert.equal(result.recovered, true);
  all.publish(7);
  assert.deepEqual(prices(await socket.data(4)), [4, 5, 6, 7]);
});

test("cursor: a WebSocket client that was cut resumes by SSE and gets exactly what it missed", async () => {
  await using all = await stage();
  const { gateway, token } = all;
  const socket = await WebSocketClient.signedIn(gateway.url, token);
  const { epoch } = await socket.subscribe(TOPIC);
  using watcher = await new SseClient(gateway.url, QUERY, { token }).opened();
  await all.feed.streaming("AAPL");
  for (const price of [1, 2, 3]) all.publish(price);
  await socket.data(3);
  const lastEventId = `#${epoch}.${socket.publications.at(-1)?.offset}`;
  socket.cut();
  for (const price of [4, 5, 6]) all.publish(price);
  await watcher.data(6);
  using sse = await new SseClient(gateway.url, QUERY, { token, lastEventId }).opened();
  assert.equal(sse.header("Mercure-Last-Event-ID"), lastEventId);
  all.publish(7);
  assert.deepEqual(prices(await sse.data(4)), [4, 5, 6, 7]);
});

test("cursor: a client that was cut before its first event resumes from where it stood", async () => {
  await using all = await stage();
  const { gateway, token } = all;
  const sse = await new SseClient(gateway.url, QUERY, { token }).opened();
  using watcher = await new SseClient(gateway.url, QUERY, { token }).opened();
  await all.feed.streaming("AAPL");
  await sse.until(() => sse.lastEventId !== "");
  const { lastEventId } = sse;
  sse.cut();
  all.publish(1);
  await watcher.data(1);
  using back = await new SseClient(gateway.url, QUERY, { token, lastEventId }).opened();
  assert.deepEqual(prices(await back.data(1)), [1]);
});

test("cursor: a client that asks for more than the log holds is told so, on either transport", async () => {
  await using feed = await FeedServer.open();
  await using gateway =
    await openGateway(`${feedYaml(`${feed.origin}/quotes?symbols={keys}`, "health: { eventBytesMax: 32KiB }")}
log: { bytesMax: 64KiB }`);
  const token = await signIn(gateway);
  using first = await new SseClient(gateway.url, QUERY, { token }).opened();
  await first.until(() => first.lastEventId !== "");
  const lastEventId = first.lastEventId;
  await feed.streaming("AAPL");
  for (let price = 0; price < 400; price++)
    feed.publish("AAPL", { symbol: "AAPL", price, pad: "x".repeat(300) });
  await first.data(400);
  using sse = await new SseClient(gateway.url, QUERY, { token, lastEventId }).opened();
  assert.equal(sse.header("Mercure-Last-Event-ID"), "earliest");
  const [, epoch, offset] = /^#(.+)\.(\d+)$/.exec(lastEventId) as RegExpExecArray;
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  const result = await socket.subscribe(TOPIC, { recover: true, epoch, offset: Number(offset) });
  assert.equal(result.recovered ?? false, false);
  assert.equal(result.was_recovering, true);
  const other = await socket.ask({ unsubscribe: { channel: TOPIC } });
  assert.equal(other.error, undefined);
  const stranger = await socket.subscribe(TOPIC, { recover: true, epoch: "other", offset: result.offset });
  assert.equal(stranger.recovered ?? false, false, "another epoch's offset means nothing");
});
