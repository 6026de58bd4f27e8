import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Gateway } from "#app/gateway.ts";
import { silentLogger } from "#base/logger.ts";
import { parseConfig } from "#config/load.ts";
import { FeedServer, until } from "../helpers/feed-server.ts";
import { SseClient } from "../helpers/sse-client.ts";

const root = mkdtempSync(join(tmpdir(), "streamkeeper-persist-feeds-"));
after(() => rmSync(root, { recursive: true, force: true }));

interface Scene {
  readonly url: string;
  readonly topic?: string;
  readonly state?: string;
  readonly linksMax?: number;
}

function open(directory: string, { url, topic, state, linksMax = 8 }: Scene): Promise<Gateway> {
  const { config } = parseConfig(
    `
listen: { port: 0 }
database: sqlite:${directory}/gateway.db
log: { persist: ${directory}/log }
feeds:
  quotes:
    url: ${url}
    topic: ${topic ?? "/quotes/{key}"}
    key: ${topic === undefined ? "/symbol" : "null"}
    state: ${state ?? "none"}
    access: public
    pool: { gather: 10ms, keysPerLink: 1, linksMax: ${linksMax} }
    retry: { min: 20ms, max: 100ms, resetAfter: 1s }
`,
    null,
    {},
  );
  return Gateway.open(config, { log: silentLogger });
}

const n = (client: SseClient) =>
  client.events.map(({ event, data }) => (event === "gap" ? "gap" : (JSON.parse(data).n as number)));

/** Two lives, with three events of AAPL in the first and three between; answers what a client sees that comes back. */
async function acrossLives(
  feed: FeedServer,
  first: Scene,
  between: () => void,
  second: Scene = first,
): Promise<{ seen: (number | string)[]; recovered: boolean; gaps: string }> {
  const directory = mkdtempSync(join(root, "d"));
  const query = `match=${first.topic ?? "/quotes/AAPL"}`;
  let cursor: string;
  {
    await using gateway = await open(directory, first);
    using client = await new SseClient(gateway.url, query).opened();
    await feed.streaming("AAPL");
    for (let count = 0; count < 3; count++) feed.publish("AAPL");
    await client.data(3);
    cursor = client.lastEventId;
  }
  for (let count = 0; count < 3; count++) feed.publish("AAPL");
  between();
  const asked = feed.requests.length;
  await using gateway = await open(directory, second);
  // The feed is asked before anybody comes back.
  await until("the feed is asked", () => feed.requests.length > asked && feed.streams > 0);
  using client = await new SseClient(gateway.url, query, { lastEventId: cursor }).opened();
  const last = feed.publish("AAPL");
  await client.until(() => n(client).at(-1) === last);
  const metrics = await (await fetch(`${gateway.url}/metrics`)).text();
  const gaps = /^streamkeeper_feed_gaps_total\{feed="quotes"\} (\d+)$/m.exec(metrics)?.[1] ?? "";
  return { seen: n(client), recovered: client.header("mercure-last-event-id") === cursor, gaps };
}

for (const state of ["none", "last", "merge"]) {
  test(`log.persist, feed with ids, state ${state}: it is resumed where the log ends, and a client across both lives misses nothing`, async () => {
    await using feed = await FeedServer.open();
    const scene = { url: `${feed.origin}/q?symbols={keys}`, state };
    const { seen, recovered, gaps } = await acrossLives(feed, scene, () => {});
    assert.deepEqual({ seen, recovered, gaps }, { seen: [4, 5, 6, 7], recovered: true, gaps: "0" });
    assert.equal(feed.requests.at(-1)?.headers["last-event-id"], "3");
  });
}

for (const topic of ["/all", undefined]) {
  test(`log.persist, feed of one link ${topic === undefined ? "with keys" : "and one topic"}: it is resumed too`, async () => {
    await using feed = await FeedServer.open();
    const scene: Scene = { url: `${feed.origin}/q`, ...(topic === undefined ? {} : { topic }) };
    const { seen, recovered, gaps } = await acrossLives(feed, scene, () => {});
    assert.deepEqual({ seen, recovered, gaps }, { seen: [4, 5, 6, 7], recovered: true, gaps: "0" });
  });
}

const KINDS: readonly { readonly url: string; readonly topic?: string }[] = [
  { url: "/q?symbols={keys}" },
  { url: "/q", topic: "/all" },
  { url: "/q" },
];

test("log.persist, feed without ids: what it brought meanwhile is missing, and the client is told", async () => {
  for (const scene of KINDS) {
    await using feed = await FeedServer.open({ ids: false });
    const url = `${feed.origin}${scene.url}`;
    const directory = mkdtempSync(join(root, "d"));
    const query = `match=${scene.topic ?? "/quotes/AAPL"}`;
    let cursor: string;
    {
      await using gateway = await open(directory, { ...scene, url });
      using client = await new SseClient(gateway.url, query).opened();
      await feed.streaming("AAPL");
      feed.publish("AAPL");
      await client.data(1);
      cursor = client.lastEventId;
    }
    await using gateway = await open(directory, { ...scene, url });
    using client = await new SseClient(gateway.url, query, { lastEventId: cursor }).opened();
    assert.notEqual(client.header("mercure-last-event-id"), cursor);
    assert.equal(client.header("mercure-last-event-id"), "earliest");
  }
});

test("log.persist, feed that refuses the id of the life before: it is asked without, and the client is told", async () => {
  for (const scene of KINDS) {
    await using feed = await FeedServer.open();
    const { seen, recovered } = await acrossLives(
      feed,
      { ...scene, url: `${feed.origin}${scene.url}` },
      () => {
        feed.script = (request, response) => {
          if (request.headers["last-event-id"] === undefined) return false;
          response.writeHead(400).end();
          return true;
        };
      },
    );
    // Told at its return, or, with the feed slower than the client, by a gap on the stream.
    assert.ok(!recovered || seen.includes("gap"), JSON.stringify(seen));
  }
});

test("log.persist, more keys than the feed has room for after the restart: those that go on miss nothing, others are told", async () => {
  await using feed = await FeedServer.open();
  const url = `${feed.origin}/q?symbols={keys}`;
  const directory = mkdtempSync(join(root, "d"));
  const keys = ["AAPL", "MSFT", "GOOG", "AMZN"];
  const cursors = new Map<string, string>();
  {
    await using gateway = await open(directory, { url });
    for (const key of keys) {
      using client = await new SseClient(gateway.url, `match=/quotes/${key}`).opened();
      await feed.streaming(key);
      feed.publish(key);
      await client.data(1);
      cursors.set(key, client.lastEventId);
    }
  }
  for (const key of keys) feed.publish(key);
  await using gateway = await open(directory, { url, linksMax: 3 });
  await until("three keys are streamed", () => feed.keysServed().size === 3);
  let exact = 0;
  for (const [key, cursor] of cursors) {
    if (!feed.keysServed().has(key)) continue;
    using client = await new SseClient(gateway.url, `match=/quotes/${key}`, { lastEventId: cursor }).opened();
    const isRecovered = client.header("mercure-last-event-id") === cursor;
    if (!isRecovered) continue;
    await client.data(1);
    assert.deepEqual(n(client), [keys.indexOf(key) + 5]);
    exact++;
  }
  assert.equal(exact, 3);
  // By pattern, too, nothing is claimed of the key that found no room.
  const [first] = cursors.values();
  using all = await new SseClient(gateway.url, "match=/quotes/MSFT&match_urlpattern=/quotes/*", {
    lastEventId: first as string,
  }).opened();
  assert.notEqual(all.header("mercure-last-event-id"), first);
});
