import assert from "node:assert/strict";
import { test } from "node:test";
import { queryObjects } from "node:v8";
import type { Gateway } from "#app/gateway.ts";
import { SseConnection } from "#downstream/sse-connection.ts";
import { WebSocketConnection } from "#downstream/websocket-connection.ts";
import { Subscription, Topic } from "#hub/topic.ts";
import { FeedServer, until } from "../helpers/feed-server.ts";
import { feedYaml, openGateway, signIn } from "../helpers/gateway.ts";
import { SseClient } from "../helpers/sse-client.ts";
import { WebSocketClient } from "../helpers/websocket-client.ts";

const CLIENTS = 1000;
const AT_ONCE = 100;

function liveObjects(): Record<string, number> {
  return Object.fromEntries(
    [SseConnection, WebSocketConnection, Subscription, Topic].map((type) => [
      type.name,
      queryObjects(type as unknown as { new (): object }, { format: "count" }),
    ]),
  );
}

/** The last sockets are gone, and the keys that nobody wants any more are let go. */
async function quiet(gateway: Gateway): Promise<void> {
  await until("no socket and no key is left", () => {
    const { sockets, keys } = gateway.stats();
    return sockets === 0 && keys === 0;
  });
}

test("churn: after 1,000 clients of each transport have come and gone, everything counts what it did before", async () => {
  await using feed = await FeedServer.open();
  await using gateway = await openGateway(`${feedYaml(`${feed.origin}/quotes?symbols={keys}`)}
limits: { connectionsPerUser: 1000 }`);
  const token = await signIn(gateway);
  const cycle = async (index: number) => {
    const topic = `/quotes/S${index % 50}`;
    {
      using sse = await new SseClient(gateway.url, `match=${topic}`, { token }).opened();
      assert.equal(sse.status, 200);
      if (index % 3 === 0) sse.cut();
      else sse.socket.end();
    }
    using socket = await WebSocketClient.signedIn(gateway.url, token);
    await socket.subscribe(topic);
    if (index % 3 === 0) socket.cut();
    else {
      socket.socket.close();
      await socket.closed();
    }
  };
  // What is made once and kept, such as caches, is made before the count.
  for (let index = 0; index < 50; index++) await cycle(index);
  await quiet(gateway);
  const before = { stats: gateway.stats(), live: liveObjects() };
  for (let start = 0; start < CLIENTS; start += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => cycle(start + index)));
  }
  await quiet(gateway);
  assert.deepEqual({ stats: gateway.stats(), live: liveObjects() }, before);
  assert.deepEqual(before.stats.connections, { sse: 0, websocket: 0 });
  assert.equal(before.stats.subscribers, 0);
  assert.equal(before.stats.topics, before.stats.topicsWithState);
  const { opened, closed } = gateway.totals();
  assert.equal(opened, 2 * (CLIENTS + 50));
  assert.equal(closed, opened);
  assert.equal(gateway.sweep(), 0, "the sweep finds nothing");
});
