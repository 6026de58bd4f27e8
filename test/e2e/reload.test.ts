import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "#config/load.ts";
import { FeedServer, until } from "../helpers/feed-server.ts";
import { feedYaml, gatewayYaml, openGateway, signIn } from "../helpers/gateway.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { WebSocketClient } from "../helpers/websocket-client.ts";

const configOf = (yaml: string, listen?: string) => parseConfig(gatewayYaml(yaml, listen), null, {}).config;

test("reload: a role that loses a topic loses its subscriptions to it, and those only", async () => {
  await using gateway = await openGateway();
  const token = await signIn(gateway);
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  await socket.subscribe("/quotes/AAPL");
  await socket.subscribe("/chat/1");
  using ended = await new SseClient(gateway.url, "match=/quotes/AAPL", { token }).opened();
  using kept = await new SseClient(gateway.url, "match=/chat/1", { token }).opened();
  const config = configOf("");
  const roles = { ...config.auth.roles, trader: { subscribe: ["/chat/*"], publish: [], admin: false } };
  assert.equal(gateway.reload({ ...config, auth: { ...config.auth, roles } }), true);

  await socket.until(() => socket.replies.some(({ push }) => push?.unsubscribe !== undefined));
  const pushes = socket.replies.filter(({ push }) => push?.unsubscribe !== undefined);
  assert.deepEqual(
    pushes.map(({ push }) => [push?.channel, push?.unsubscribe?.code]),
    [["/quotes/AAPL", 2000]],
  );
  await ended.ended();
  gateway.hub.publish({ topics: ["/quotes/AAPL"], data: '"hidden"' });
  gateway.hub.publish({ topics: ["/chat/1"], data: '"shown"' });
  assert.deepEqual(await socket.data(1), ["shown"]);
  assert.deepEqual(await kept.data(1), ['"shown"']);
  assert.equal((await socket.ask({ publish: { channel: "/chat/1", data: {} } })).error?.code, 103);
  const again = await new SseClient(gateway.url, "match=/quotes/AAPL", { token }).opened();
  assert.equal(again.status, 403);
  again.socket.destroy();
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  assert.match(metrics, /connections_closed_total\{transport="sse",reason="permission_denied"\} 1$/m);
});

test("reload: a role that is gone ends its connections, and its tokens are refused", async () => {
  await using gateway = await openGateway();
  const token = await signIn(gateway);
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  using sse = await new SseClient(gateway.url, "match=/chat/1", { token }).opened();
  using anonymous = await new SseClient(gateway.url, "match=/public/1").opened();
  const config = configOf("");
  const { admin } = config.auth.roles;
  assert.ok(admin);
  assert.equal(gateway.reload({ ...config, auth: { ...config.auth, roles: { admin } } }), true);
  assert.equal(await socket.closed(), 3500);
  await sse.ended();
  assert.equal(anonymous.socket.destroyed, false);
  const again = await new SseClient(gateway.url, "match=/chat/1", { token }).opened();
  assert.equal(again.status, 401);
});

test("reload: what everybody may have can be given and taken", async () => {
  await using gateway = await openGateway();
  using before = await new SseClient(gateway.url, "match=/public/1").opened();
  const config = configOf("");
  const anonymous = { subscribe: ["/open/*"] };
  assert.equal(gateway.reload({ ...config, auth: { ...config.auth, anonymous } }), true);
  await before.ended();
  using after = await new SseClient(gateway.url, "match=/open/1").opened();
  assert.equal(after.status, 200);
  gateway.hub.publish({ topics: ["/open/1"], data: "x" });
  assert.deepEqual(await after.data(1), ["x"]);
});

test("reload: a feed is added, changed and removed under clients that stay connected", async () => {
  await using first = await FeedServer.open();
  await using second = await FeedServer.open();
  await using gateway = await openGateway();
  const token = await signIn(gateway);
  using sse = await new SseClient(gateway.url, "match=/quotes/AAPL", { token }).opened();

  assert.equal(gateway.reload(configOf(feedYaml(`${first.origin}/q?symbols={keys}`))), true);
  await first.streaming("AAPL");
  first.publish("AAPL", { symbol: "AAPL", price: 1 });
  assert.deepEqual((await sse.data(1)).map(priceOf), [1]);

  assert.equal(gateway.reload(configOf(feedYaml(`${second.origin}/q?symbols={keys}`))), true);
  await second.streaming("AAPL");
  await until("the first feed is let go", () => first.streams === 0);
  second.publish("AAPL", { symbol: "AAPL", price: 2 });
  await sse.until(() => sse.events.some(({ data }) => priceOf(data) === 2));

  // The same again is no reason to dial anew.
  const requests = second.requests.length;
  assert.equal(
    gateway.reload(configOf(`${feedYaml(`${second.origin}/q?symbols={keys}`)}drain: { timeout: 3s }`)),
    true,
  );
  second.publish("AAPL", { symbol: "AAPL", price: 3 });
  await sse.until(() => sse.events.some(({ data }) => priceOf(data) === 3));
  assert.equal(second.requests.length, requests);

  assert.equal(gateway.reload(configOf("")), true);
  await until("the second feed is let go", () => second.streams === 0);
  assert.equal(sse.socket.destroyed, false);
  assert.equal(gateway.stats().keys, 0);
});

test("reload: a feed that is taken out and added again goes on where it stopped", async () => {
  await using feed = await FeedServer.open();
  const yaml = feedYaml(`${feed.origin}/q?symbols={keys}`);
  await using gateway = await openGateway(yaml);
  using sse = await new SseClient(gateway.url, "match=/quotes/AAPL", {
    token: await signIn(gateway),
  }).opened();
  await feed.streaming("AAPL");
  feed.publish("AAPL", { symbol: "AAPL", price: 1 });
  await sse.data(1);
  assert.equal(gateway.reload(configOf("")), true);
  await until("the feed is let go", () => feed.streams === 0);
  feed.publish("AAPL", { symbol: "AAPL", price: 2 });
  assert.equal(gateway.reload(configOf(yaml)), true);
  await feed.streaming("AAPL");
  feed.publish("AAPL", { symbol: "AAPL", price: 3 });
  await sse.until(() => sse.events.some(({ event, data }) => event !== "gap" && priceOf(data) === 3));
  assert.equal(feed.requests.at(-1)?.headers["last-event-id"], "1");
  const prices = sse.events.filter(({ event }) => event !== "gap").map(({ data }) => priceOf(data));
  assert.deepEqual(prices, [1, 2, 3]);
});

test("reload: topics that a smaller feed has no place for end, and say so when they are asked for again", async () => {
  await using feed = await FeedServer.open();
  const yaml = (pool: string) =>
    feedYaml(`${feed.origin}/q?symbols={keys}`).replace(
      "pool: { linger: 50ms",
      `pool: { ${pool}, linger: 50ms`,
    );
  await using gateway = await openGateway(yaml("linksMax: 2"));
  const token = await signIn(gateway);
  using first = await new SseClient(gateway.url, "match=/quotes/A", { token }).opened();
  using second = await new SseClient(gateway.url, "match=/quotes/B", { token }).opened();
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  await socket.subscribe("/quotes/B");
  assert.equal(gateway.reload(configOf(yaml("linksMax: 1, keysPerLink: 1"))), true);
  await second.ended();
  await socket.until(() => socket.replies.some(({ push }) => push?.unsubscribe?.code === 2500));
  assert.notEqual((await socket.ask({ subscribe: { channel: "/quotes/B" } })).error, undefined);
  await feed.streaming("A");
  feed.publish("A", { symbol: "A", price: 1 });
  await first.until(() => first.events.some(({ data }) => priceOf(data) === 1));
});

test("reload: limits and origins hold for those who come next", async () => {
  await using gateway = await openGateway();
  using held = await new SseClient(gateway.url, "match=/public/1").opened();
  const origin = "https://app.example.com";
  const preflight = async () =>
    (await fetch(`${gateway.url}/auth/me`, { headers: { origin } })).headers.get(
      "access-control-allow-origin",
    );
  assert.equal(await preflight(), null);
  assert.equal(
    gateway.reload(configOf("limits: { connections: 1, requestBytes: 1KiB }", `origins: [${origin}]`)),
    true,
  );
  assert.equal(await preflight(), origin);
  using refused = await new SseClient(gateway.url, "match=/public/1").opened();
  await refused.ended();
  assert.match(refused.body, /connection_limit/);
  gateway.hub.publish({ topics: ["/public/1"], data: "still here" });
  assert.deepEqual(await held.data(1), ["still here"]);
  assert.equal(gateway.reload(configOf("limits: { connections: 5, requestBytes: 1KiB }")), true);
  using socket = await WebSocketClient.open(gateway.url);
  socket.socket.send(JSON.stringify({ id: 1, connect: { data: "x".repeat(2000) } }));
  assert.equal(await socket.closed(), 1009);
});

test("reload: what needs a restart, and what is broken, changes nothing at all", async () => {
  await using feed = await FeedServer.open();
  await using gateway = await openGateway();
  using before = await new SseClient(gateway.url, "match=/public/1").opened();
  const other = configOf(`${feedYaml(`${feed.origin}/q?symbols={keys}`)}limits: { connections: 1 }`);
  assert.equal(gateway.reload({ ...other, database: "sqlite:/elsewhere.db" }), false);
  const badRole = { subscribe: ["/x/{("], publish: [], admin: false };
  assert.equal(gateway.reload({ ...other, auth: { ...other.auth, roles: { badRole } } }), false);
  const badFeed = { ...other.feeds[0], name: "bad", topic: "/x/{key}", key: "no pointer" } as never;
  assert.equal(gateway.reload({ ...other, feeds: [...other.feeds, badFeed] }), false);
  using after = await new SseClient(gateway.url, "match=/public/1").opened();
  gateway.hub.publish({ topics: ["/public/1"], data: "x" });
  assert.deepEqual([await before.data(1), await after.data(1)], [["x"], ["x"]]);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  assert.doesNotMatch(metrics, /feed="/);
  assert.equal(feed.requests.length, 0);
});

const priceOf = (data: string) => (JSON.parse(data) as { price?: number }).price;
