import assert from "node:assert/strict";
import { test } from "node:test";
import { FeedServer, until } from "../helpers/feed-server.ts";
import { openGateway, signIn } from "../helpers/gateway.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { type Reply, WebSocketClient } from "../helpers/websocket-client.ts";

const yaml = (url: string, pool = "linger: 50ms") => `
feeds:
  quotes:
    url: ${url}/quotes?symbols={keys}
    topic: /quotes/{key}
    key: /symbol
    state: last
    pool: { gather: 10ms, ${pool} }
    retry: { min: 20ms, max: 200ms, resetAfter: 1s }
`;

test("gap: a feed that can't replay leaves no silent hole, on either transport, live or resumed", async () => {
  await using feed = await FeedServer.open({ ids: false });
  await using gateway = await openGateway(yaml(feed.origin));
  const token = await signIn(gateway);
  const query = "match=/quotes/AAPL&match=/quotes/MSFT";
  using live = await new SseClient(gateway.url, query, { token }).opened();
  using pattern = await new SseClient(gateway.url, "match_urlpattern=/quotes/*", { token }).opened();
  using away = await new SseClient(gateway.url, query, { token }).opened();
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  const { epoch } = await socket.subscribe("/quotes/AAPL");
  await feed.streaming("MSFT");
  feed.publish("AAPL");
  await away.data(1);
  await socket.data(1);
  const cursor = away.lastEventId;
  const offset = socket.publications[0]?.offset ?? 0;
  away.cut();
  feed.resetAll();
  feed.publish("AAPL");
  await live.until(() => live.events.length === 2);
  await feed.streaming("AAPL");
  const told = live.events[1];
  assert.equal(told?.event, "gap");
  const data = JSON.parse(told?.data ?? "");
  assert.deepEqual(data.topics, ["/quotes/AAPL", "/quotes/MSFT"]);
  assert.equal(data.after, cursor);
  assert.equal(data.resumed, told?.id);
  await pattern.until(() => pattern.events.some(({ event }) => event === "gap"));

  await socket.until(() => socket.replies.some(({ push }) => push?.unsubscribe !== undefined));
  const push = socket.replies.find((reply) => reply.push?.unsubscribe !== undefined)?.push;
  assert.deepEqual([push?.channel, push?.unsubscribe?.code], ["/quotes/AAPL", 2500]);
  const again = await socket.subscribe("/quotes/AAPL", { recover: true, epoch, offset });
  assert.equal(again.recovered, false);

  using back = await new SseClient(gateway.url, query, { token, lastEventId: cursor }).opened();
  await back.data(1);
  assert.equal(back.events[0]?.event, "gap", "it asked for more than there is");
  using after = await new SseClient(gateway.url, query, { token, lastEventId: data.resumed }).opened();
  feed.publish("AAPL");
  await after.data(1);
  assert.equal(after.events[0]?.event, undefined, "from after the gap a resume is exact");
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  assert.match(metrics, /^streamkeeper_feed_gaps_total\{feed="quotes"\} 1$/m);
});

test("gap: what a feed sent while nobody asked for a topic is not taken for nothing", async () => {
  await using feed = await FeedServer.open();
  await using gateway = await openGateway(yaml(feed.origin));
  const token = await signIn(gateway);
  const first = await new SseClient(gateway.url, "match=/quotes/AAPL", { token }).opened();
  await feed.streaming("AAPL");
  feed.publish("AAPL", { price: 1 });
  await first.data(1);
  const cursor = first.lastEventId;
  first.cut();
  await until("the key is let go", () => gateway.stats().keys === 0);
  assert.equal(gateway.hub.stateOf("/quotes/AAPL"), null, "a state that nobody keeps up to date is none");
  feed.publish("AAPL", { price: 2 });
  using back = await new SseClient(gateway.url, "match=/quotes/AAPL", {
    token,
    lastEventId: cursor,
  }).opened();
  await back.data(1);
  assert.equal(back.events[0]?.event, "gap");
});

test("full: a topic that its feed has no room for is refused, gently, and comes in when there is room", async () => {
  await using feed = await FeedServer.open();
  await using gateway = await openGateway(yaml(feed.origin, "linger: 20ms, keysPerLink: 1, linksMax: 1"));
  const token = await signIn(gateway);
  const first = await new SseClient(gateway.url, "match=/quotes/AAPL", { token }).opened();
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  const refused = await socket.ask({ subscribe: { channel: "/quotes/MSFT" } });
  assert.equal(refused.error?.code, 106);
  assert.equal(refused.error?.temporary, true, "SDKs ask again");
  using stream = await new SseClient(gateway.url, "match=/quotes/AAPL&match=/quotes/MSFT", {
    token,
  }).opened();
  await stream.ended();
  assert.equal(stream.status, 200);
  assert.match(stream.body, /^retry: \d{4,5}$/m);
  assert.equal(gateway.stats().subscribers, 1, "nothing is left of what was refused");
  await socket.subscribe("/quotes/AAPL");
  first.cut();
  await socket.ask({ unsubscribe: { channel: "/quotes/AAPL" } });
  await until("the key is let go", () => gateway.stats().keys === 0);
  await socket.subscribe("/quotes/MSFT");
  await feed.streaming("MSFT");
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  assert.match(metrics, /^streamkeeper_errors_total\{room="downstream",code="feed_full"\} 1$/m);
  assert.match(metrics, /^streamkeeper_errors_total\{room="downstream",code="limit_exceeded"\} 1$/m);
  assert.match(metrics, /^streamkeeper_feed_keys_refused_total\{feed="quotes",by="gateway"\} 2$/m);
});

test("full: who is subscribed to a key that the feed had rejected, and whose place is taken, is told", async () => {
  await using feed = await FeedServer.open();
  feed.script = (request, response) => {
    const isBad = request.url?.includes("LATE") ?? false;
    if (isBad) response.writeHead(404).end();
    return isBad;
  };
  await using gateway = await openGateway(yaml(feed.origin, "keysPerLink: 1, linksMax: 1"));
  const token = await signIn(gateway);
  using stream = await new SseClient(gateway.url, "match=/quotes/LATE", { token }).opened();
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  await socket.subscribe("/quotes/LATE");
  await until("the rejection", () => feed.requests.some(({ url }) => url.includes("LATE")));
  // As soon as the gateway has read the answer.
  let other: Reply;
  do other = await socket.ask({ subscribe: { channel: "/quotes/AAPL" } });
  while (other.error?.code === 106);
  assert.equal(other.error, undefined);
  await stream.ended();
  assert.equal(stream.status, 200);
  assert.match(stream.body, /^retry: \d{4,5}$/m);
  const isToldOfIt = ({ push }: Reply) => push?.channel === "/quotes/LATE" && push.unsubscribe?.code === 2500;
  await socket.until(() => socket.replies.some(isToldOfIt));
  const refused = await socket.ask({ subscribe: { channel: "/quotes/LATE" } });
  assert.deepEqual([refused.error?.code, refused.error?.temporary], [106, true]);
  assert.equal(gateway.stats().subscribers, 1);
});
