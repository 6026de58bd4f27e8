import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Gateway } from "#app/gateway.ts";
import { silentLogger } from "#base/logger.ts";
import { parseConfig } from "#config/load.ts";
import { FeedServer, until } from "../helpers/feed-server.ts";
import { PASSWORD, signIn } from "../helpers/gateway.ts";
import { SseClient } from "../helpers/sse-client.ts";

function open(database: string, feed: string, state: string, linger: string): Promise<Gateway> {
  const { config } = parseConfig(
    `
listen: { host: 127.0.0.1, port: 0 }
database: sqlite:${database}
auth: { roles: { trader: { subscribe: [/quotes/*] } } }
feeds:
  quotes:
    url: ${feed}/quotes?symbols={keys}
    topic: /quotes/{key}
    key: /symbol
    state: ${state}
    pool: { linger: ${linger}, gather: 10ms }
    retry: { min: 20ms, max: 200ms, resetAfter: 1s }
`,
    null,
    {},
  );
  return Gateway.open(config, { log: silentLogger });
}

const QUERY = "match=/quotes/AAPL&match=/quotes/MSFT";

for (const [state, resumes] of [
  ["none", true],
  ["last", true],
  ["merge", false],
] as const) {
  test(`gateway restart: with state ${state} it ${resumes ? "resumes what the feed can replay" : "asks for the whole"}, and the client is told of the break`, async () => {
    const directory = await mkdtemp(join(tmpdir(), "streamkeeper-"));
    try {
      const database = join(directory, "gateway.db");
      await using feed = await FeedServer.open();
      let cursor = "";
      {
        await using gateway = await open(database, feed.origin, state, "30s");
        await gateway.addUser("ann", PASSWORD, "trader");
        using client = await new SseClient(gateway.url, QUERY, { token: await signIn(gateway) }).opened();
        await Promise.all([feed.streaming("AAPL"), feed.streaming("MSFT")]);
        for (const key of ["AAPL", "MSFT", "AAPL"]) feed.publish(key);
        await client.data(3);
        cursor = client.lastEventId;
      }
      for (const key of ["MSFT", "AAPL", "MSFT"]) feed.publish(key);
      const before = feed.requests.length;
      await using gateway = await open(database, feed.origin, state, "20ms");
      const token = await signIn(gateway);
      const client = await new SseClient(gateway.url, QUERY, { token, lastEventId: cursor }).opened();
      await feed.streaming("AAPL");
      feed.publish("AAPL");
      const missed = resumes ? [4, 5, 6] : [];
      await client.data(1 + missed.length + 1);
      assert.equal(client.events[0]?.event, "gap");
      assert.deepEqual(
        client.events.slice(1).map((event) => JSON.parse(event.data).n),
        [...missed, 7],
      );
      assert.equal(feed.requests[before]?.headers["last-event-id"], resumes ? "3" : undefined);
      // A key that is let go is begun anew the next time, in this life and the next.
      client.cut();
      await until("the keys are let go", () => gateway.stats().keys === 0);
      const again = feed.requests.length;
      using later = await new SseClient(gateway.url, "match=/quotes/AAPL", { token }).opened();
      await until("the request", () => feed.requests.length > again);
      assert.equal(feed.requests[again]?.headers["last-event-id"], undefined);
      assert.equal(later.status, 200);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
}
