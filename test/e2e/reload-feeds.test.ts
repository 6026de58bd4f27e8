import assert from "node:assert/strict";
import { test } from "node:test";
import { parseConfig } from "#config/load.ts";
import { FeedServer, until } from "../helpers/feed-server.ts";
import { feedYaml, gatewayYaml, openGateway, signIn } from "../helpers/gateway.ts";
import { scrape } from "../helpers/metrics-page.ts";
import { SseClient } from "../helpers/sse-client.ts";

const configOf = (yaml: string) => parseConfig(gatewayYaml(yaml), null, {}).config;

test("reload: a state goes with a key that lingered, and stays with one that is subscribed to", async () => {
  await using feed = await FeedServer.open();
  const yaml = (linger: string) => feedYaml(`${feed.origin}/q?symbols={keys}`, "state: last", linger);
  await using gateway = await openGateway(yaml("1h"));
  const token = await signIn(gateway);
  using kept = await new SseClient(gateway.url, "match=/quotes/A", { token }).opened();
  using left = await new SseClient(gateway.url, "match=/quotes/B", { token }).opened();
  await feed.streaming("B");
  feed.publish("A");
  feed.publish("B");
  await Promise.all([kept.data(1), left.data(1)]);
  left.cut();
  await until("the subscriber is gone", () => gateway.hub.stats().subscribers === 1);
  assert.notEqual(gateway.hub.stateOf("/quotes/B"), null, "it lingers");
  assert.equal(gateway.reload(configOf(yaml("30m"))), true);
  assert.equal(gateway.hub.stateOf("/quotes/B"), null, "nobody keeps it up to date");
  assert.notEqual(gateway.hub.stateOf("/quotes/A"), null);
  assert.equal(gateway.stats().keys, 1);
});

test("reload: counters summed over feeds go on, though a feed is replaced and another taken out", async () => {
  await using feed = await FeedServer.open();
  const yaml = (linger: string) => feedYaml(`${feed.origin}/q?symbols={keys}`, "state: last", linger);
  await using gateway = await openGateway(yaml("1h"));
  const token = await signIn(gateway);
  using client = await new SseClient(gateway.url, "match=/quotes/A", { token }).opened();
  const published = async () =>
    (await scrape(gateway.url)).samples.get('streamkeeper_events_published_total{source="feed"}');
  await feed.streaming("A");
  feed.publish("A");
  feed.publish("A");
  await client.data(2);
  assert.equal(await published(), 2);
  assert.equal(gateway.reload(configOf(yaml("30m"))), true);
  assert.equal(await published(), 2, "the one replaced is closing");
  assert.equal(gateway.reload(configOf("")), true);
  await until("both are closed", () => feed.sockets === 0);
  assert.equal(await published(), 2);
});

test("reload: a new link for all topics tells of a gap on those too that the log has forgotten", async () => {
  await using feed = await FeedServer.open({ ids: false });
  const yaml = (version: number) => feedYaml(`${feed.origin}/q?v=${version}`);
  await using gateway = await openGateway(yaml(1));
  const token = await signIn(gateway);
  using pattern = await new SseClient(gateway.url, "match_urlpattern=/quotes/*", { token }).opened();
  await feed.streaming("any");
  feed.publish("A");
  await pattern.data(1);
  const cursor = pattern.lastEventId;
  gateway.hub.squeeze(0);
  gateway.hub.squeeze(1);
  assert.equal(gateway.hub.stats().topics, 0);
  assert.equal(gateway.reload(configOf(yaml(2))), true);
  gateway.hub.publish({ topics: ["/quotes/A"], data: "the next" });
  await pattern.data(2);
  const told = pattern.events[1];
  assert.equal(told?.event, "gap");
  const { topics, resumed } = JSON.parse(told?.data ?? "");
  assert.deepEqual(topics, ["/quotes/A"]);
  // B may have had its first event in between.
  for (const query of ["match=/quotes/A", "match=/quotes/B", "match_urlpattern=/quotes/*"]) {
    using back = await new SseClient(gateway.url, query, { token, lastEventId: cursor }).opened();
    assert.notEqual(back.header("Mercure-Last-Event-ID"), cursor, query);
    using after = await new SseClient(gateway.url, query, { token, lastEventId: resumed }).opened();
    assert.equal(after.header("Mercure-Last-Event-ID"), resumed, query);
  }
});

for (const query of ["v=1", "symbols={keys}"]) {
  test(`reload: a link for all topics, in place of ?${query}, vouches for none that it has not seen`, async () => {
    await using feed = await FeedServer.open({ ids: false });
    await using gateway = await openGateway(feedYaml(`${feed.origin}/q?${query}`));
    const token = await signIn(gateway);
    using other = await new SseClient(gateway.url, "match=/chat/1", { token }).opened();
    gateway.hub.publish({ topics: ["/chat/1"], data: "x" });
    await other.data(1);
    const cursor = other.lastEventId;
    assert.equal(gateway.reload(configOf(feedYaml(`${feed.origin}/q?v=2`))), true);
    const resumed = async (match: string) => {
      using back = await new SseClient(gateway.url, `match=${match}`, {
        token,
        lastEventId: cursor,
      }).opened();
      return back.header("Mercure-Last-Event-ID");
    };
    assert.notEqual(await resumed("/quotes/A"), cursor);
    assert.equal(await resumed("/chat/1"), cursor, "another's topic resumes as if nothing had been");
  });
}

for (const query of ["v=1", "symbols={keys}"]) {
  test(`reload: a feed without ids that is taken out and added again later tells what may be missing, by ?${query}`, async () => {
    await using feed = await FeedServer.open({ ids: false });
    const yaml = feedYaml(`${feed.origin}/q?${query}`);
    await using gateway = await openGateway(yaml);
    const token = await signIn(gateway);
    using exact = await new SseClient(gateway.url, "match=/quotes/A", { token }).opened();
    using never = await new SseClient(gateway.url, "match=/chat/1", { token }).opened();
    await feed.streaming(query === "v=1" ? "any" : "A");
    feed.publish("A");
    await exact.data(1);
    const cursor = exact.lastEventId;
    assert.equal(gateway.reload(configOf("")), true);
    // Another change meanwhile makes nobody forget.
    assert.equal(gateway.reload(configOf("drain: { timeout: 3s }")), true);
    assert.equal(exact.events.filter(({ event }) => event === "gap").length, 0, "nothing has come back yet");
    assert.equal(gateway.reload(configOf(`${yaml}drain: { timeout: 3s }`)), true);
    await exact.until(() => exact.events.some(({ event }) => event === "gap"));
    using back = await new SseClient(gateway.url, "match=/quotes/A", { token, lastEventId: cursor }).opened();
    assert.notEqual(back.header("Mercure-Last-Event-ID"), cursor);
    using all = await new SseClient(gateway.url, "match_urlpattern=/quotes/*", {
      token,
      lastEventId: cursor,
    }).opened();
    assert.notEqual(all.header("Mercure-Last-Event-ID"), cursor);
    gateway.hub.publish({ topics: ["/chat/1"], data: "x" });
    await never.data(1);
    assert.deepEqual(
      never.events.map(({ data }) => data),
      ["x"],
      "what was never fed missed nothing",
    );
  });
}
