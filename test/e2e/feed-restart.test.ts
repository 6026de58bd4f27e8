import assert from "node:assert/strict";
import { test } from "node:test";
import { FeedServer } from "../helpers/feed-server.ts";
import { feedYaml, openGateway, signIn } from "../helpers/gateway.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { WebSocketClient } from "../helpers/websocket-client.ts";

test("feed restart: clients keep their connections, and nothing that the feed can replay is lost or doubled", async () => {
  await using feed = await FeedServer.open();
  await using gateway = await openGateway(feedYaml(`${feed.origin}/quotes?symbols={keys}`));
  const token = await signIn(gateway);
  using sse = await new SseClient(gateway.url, "match=/quotes/AAPL&match=/quotes/MSFT", { token }).opened();
  using socket = await WebSocketClient.signedIn(gateway.url, token);
  await socket.subscribe("/quotes/AAPL");
  await socket.subscribe("/quotes/MSFT");
  await feed.streaming("AAPL");
  await feed.streaming("MSFT");
  const expected: number[] = [];
  let count = 0;
  const publish = () => {
    count++;
    expected.push(count);
    feed.publish(count % 2 === 0 ? "AAPL" : "MSFT", {
      symbol: count % 2 === 0 ? "AAPL" : "MSFT",
      price: count,
    });
  };
  for (let round = 0; round < 5; round++) {
    for (let index = 0; index < 20; index++) publish();
    await feed.kill();
    // What happens while the feed is down is in its history when it is up again.
    for (let index = 0; index < 5; index++) publish();
    await feed.start();
    await sse.data(count);
  }
  await socket.data(count);
  assert.deepEqual(
    sse.events.map((event) => JSON.parse(event.data).price),
    expected,
  );
  assert.deepEqual(
    socket.publications.map((publication) => (publication.data as { price: number }).price),
    expected,
  );
  assert.equal(sse.socket.destroyed, false);
  assert.equal(socket.closeCode, null);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  assert.match(metrics, /^streamkeeper_links\{feed="quotes",state="open"\} 1$/m);
  const reconnects = [...metrics.matchAll(/^streamkeeper_link_reconnects_total\{.*\} (\d+)$/gm)];
  assert.ok(reconnects.reduce((sum, match) => sum + Number(match[1]), 0) >= 5);
});
