import assert from "node:assert/strict";
import { FeedServer, until as untilWithin } from "./feed-server.ts";
import { PersistingGateway } from "./persisting-gateway.ts";
import { centrifugeClient, eventSourceClient, type ResumingClient } from "./resuming-clients.ts";
import { SseClient } from "./sse-client.ts";

/** Processes are started and ended, which takes long on a busy machine. */
const WITHIN_MS = 30_000;
const until = (what: string, holds: () => boolean) => untilWithin(what, holds, WITHIN_MS);

const NEWS = "/public/news";
const QUOTE = "/quotes/AAPL";

const feedOn = (origin: string) => `
  quotes:
    url: ${origin}/quotes?symbols={keys}
    topic: /quotes/{key}
    key: /symbol
    access: public
    state: merge
    pool: { gather: 10ms }
    retry: { min: 20ms, max: 100ms, resetAfter: 1s }
`;

/** A gateway that is stopped in order and started again, while publishers and a feed go on and real clients reconnect. */
export async function restarts(directory: string, lives: number): Promise<void> {
  await using feed = await FeedServer.open();
  await using gateway = await PersistingGateway.start(directory, feedOn(feed.origin));
  using news = centrifugeClient(gateway.url, NEWS);
  using newsBySse = eventSourceClient(gateway.url, NEWS);
  using quotes = centrifugeClient(gateway.url, QUOTE);
  using quotesBySse = eventSourceClient(gateway.url, QUOTE);
  const clients = [news, newsBySse, quotes, quotesBySse];
  await until("all are there", () => clients.every(({ opened }) => opened === 1));
  await feed.streaming("AAPL");
  const publisher = publishing(gateway);
  let quoted = 0;
  const quote = () => feed.publish("AAPL", { [`f${++quoted}`]: quoted });
  for (let life = 1; life <= lives; life++) {
    for (let n = 0; n < 5; n++) quote();
    const newsSeen = news.seen.length;
    await until("events flow", () => news.seen.length > newsSeen + 20 && quotes.seen.length === quoted);
    assert.equal(await gateway.end("SIGTERM"), 0);
    // While there is nobody to take them.
    for (let n = 0; n < 5; n++) quote();
    await gateway.start();
    assert.equal(await gateway.before(), "closed");
    await until("all are back", () => clients.every(({ opened }) => opened === life + 1));
  }
  quote();
  const published = await publisher.stop();
  const isThere = ({ seen }: ResumingClient, n: number) => seen.length >= n;
  await until("the last event", () => isThere(news, published) && isThere(newsBySse, published));
  await until("the last quote", () => isThere(quotes, quoted) && isThere(quotesBySse, quoted));
  for (const { seen, name } of [news, newsBySse]) assert.deepEqual(numbers(seen), upTo(published), name);
  for (const { seen, name } of [quotes, quotesBySse]) assert.deepEqual(numbers(seen), upTo(quoted), name);
  // A state that was merged over four lives.
  using late = await new SseClient(gateway.url, `match=${QUOTE}`).opened();
  const state = JSON.parse((await late.data(1))[0] as string) as object;
  assert.deepEqual(Object.keys(state).filter((name) => name.startsWith("f")).length, quoted);
  assert.equal(await gateway.end("SIGTERM"), 0);
}

/** A gateway that is killed, each second time when all is quiet, while real clients reconnect. */
export async function kills(directory: string, lives: number): Promise<void> {
  await using gateway = await PersistingGateway.start(directory);
  using news = centrifugeClient(gateway.url, NEWS);
  using newsBySse = eventSourceClient(gateway.url, NEWS);
  const clients = [news, newsBySse];
  await until("all are there", () => clients.every(({ opened }) => opened === 1));
  let n = 0;
  for (let life = 1; life <= lives; life++) {
    const isQuiet = life % 2 === 0;
    for (let more = 0; more < 20; more++) await gateway.publish(NEWS, { n: ++n });
    if (isQuiet) {
      await until("the last event", () => clients.every(({ seen }) => numbers(seen).at(-1) === n));
      await gateway.written();
    }
    const told = clients.map(({ seen }) => seen.filter((each) => each === "told").length);
    await gateway.end("SIGKILL");
    await gateway.start();
    assert.ok(["level", "broken"].includes(await gateway.before()));
    if (isQuiet) assert.equal(await gateway.before(), "level");
    await until("all are back", () => clients.every(({ opened }) => opened === life + 1));
    await gateway.publish(NEWS, { n: ++n });
    await until("the last event", () => clients.every(({ seen }) => numbers(seen).at(-1) === n));
    if (isQuiet)
      assert.deepEqual(
        clients.map(({ seen }) => seen.filter((each) => each === "told").length),
        told,
      );
  }
  for (const { seen, name } of clients) {
    let last = 0;
    let isTold = false;
    for (const each of numbers(seen)) {
      if (each === "told") isTold = true;
      else {
        assert.ok(isTold ? each > last - 21 : each === last + 1, `${name}: ${numbers(seen).join()}`);
        last = each as number;
        isTold = false;
      }
    }
  }
}

/** Publishes numbers from 1 on, as fast as they are accepted, until it is stopped; answers the last one. */
function publishing(gateway: PersistingGateway): { stop(): Promise<number> } {
  let isOver = false;
  let n = 0;
  const done = (async () => {
    while (!isOver) {
      await gateway.publish(NEWS, { n: n + 1 });
      n++;
    }
    return n;
  })();
  return {
    stop: () => {
      isOver = true;
      return done;
    },
  };
}

const numbers = (seen: ResumingClient["seen"]) => seen.map((each) => (each === "told" ? "told" : each.n));
const upTo = (n: number) => Array.from({ length: n }, (_, index) => index + 1);
