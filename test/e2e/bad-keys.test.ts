import assert from "node:assert/strict";
import { test } from "node:test";
import { FeedServer } from "../helpers/feed-server.ts";
import { feedYaml, openGateway, signIn } from "../helpers/gateway.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { WebSocketClient } from "../helpers/websocket-client.ts";

test("attack: a client that subscribes to what the feed does not know starves no other client", async () => {
  await using feed = await FeedServer.open();
  feed.script = (request, response) => {
    if (request.url?.includes("NOPE") !== true) return false;
    response.writeHead(404).end();
    return true;
  };
  await using gateway = await openGateway(feedYaml(`${feed.origin}/quotes?symbols={keys}`));
  const token = await signIn(gateway);
  using victim = await WebSocketClient.signedIn(gateway.url, token);
  // Within the time for which keys are gathered, so that one request asks for them all.
  const bad = Array.from({ length: 20 }, (_, n) => `match=/quotes/NOPE${n}`).join("&");
  using attacker = new SseClient(gateway.url, bad, { token });
  await Promise.all([attacker.opened(), victim.subscribe("/quotes/AAPL")]);
  using late = await new SseClient(gateway.url, "match=/quotes/MSFT&match=/quotes/NOPE", { token }).opened();
  await Promise.all([feed.streaming("AAPL"), feed.streaming("MSFT")]);
  feed.publish("AAPL", { price: 1 });
  feed.publish("MSFT", { price: 2 });
  await victim.data(1);
  await late.data(1);
  assert.deepEqual(victim.publications[0]?.data, { symbol: "AAPL", n: 1, price: 1 });
  assert.equal(JSON.parse(late.events[0]?.data ?? "").price, 2);
});
