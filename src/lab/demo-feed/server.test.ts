import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { startDemoFeed } from "./process.ts";
import { type DemoFeedOptions, openDemoFeed } from "./server.ts";

interface Received {
  readonly id: number;
  readonly data: Record<string, unknown>;
}

async function serve(t: TestContext, options: DemoFeedOptions = {}) {
  const clock = new VirtualClock();
  clock.advance(3600_000);
  const feed = await openDemoFeed({ resetEveryMs: null, ...options }, clock, seededRandom(7));
  t.after(() => feed.close());
  return { clock, feed };
}

/** A client that reads as long as it is asked to. */
class Client {
  readonly response: IncomingMessage;
  readonly ended: Promise<string>;
  #text = "";
  #arrived: (() => void) | null = null;

  constructor(response: IncomingMessage) {
    this.response = response;
    response.setEncoding("utf8").on("data", (text) => {
      this.#text += text;
      this.#arrived?.();
    });
    this.ended = new Promise((resolve) => {
      response.on("end", () => resolve("end"));
      response.on("error", (error) => resolve((error as NodeJS.ErrnoException).code ?? "error"));
    });
  }

  static async open(port: number, symbols: string, lastEventId?: number): Promise<Client> {
    const headers = lastEventId === undefined ? {} : { "last-event-id": String(lastEventId) };
    const request = get({
      host: "127.0.0.1",
      port,
      path: `/quotes?symbols=${symbols}`,
      headers,
      agent: false,
    });
    const [response] = await once(request, "response");
    request.on("error", () => {});
    return new Client(response as IncomingMessage);
  }

  get text(): string {
    return this.#text;
  }

  get events(): Received[] {
    return [...this.#text.matchAll(/^id: (\d+)\ndata: (.*)\n\n/gm)].map((match) => ({
      id: Number(match[1]),
      data: JSON.parse(match[2] as string),
    }));
  }

  async until(wanted: (client: Client) => boolean): Promise<void> {
    while (!wanted(this)) {
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }
}

test("demo feed: a snapshot of each symbol first, then updates as they fall due", async (t) => {
  const { clock, feed } = await serve(t);
  const client = await Client.open(feed.port, "AAPL,MSFT");
  assert.equal(client.response.headers["content-type"], "text/event-stream");
  await client.until(({ events }) => events.length === 2);
  assert.match(client.text, /^retry: 1000\n: /);
  for (const { data } of client.events) {
    assert.deepEqual(Object.keys(data), ["symbol", "tick", "date", "price", "open", "high", "low", "change"]);
  }
  clock.advance(1000);
  await client.until(({ events }) => events.length === 22);
  const ids = client.events.map(({ id }) => id);
  assert.deepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(ids).size, 22);
  client.response.destroy();
});

test("demo feed: a client that comes back with Last-Event-ID misses nothing and can tell the doubles", async (t) => {
  const { clock, feed } = await serve(t);
  const first = await Client.open(feed.port, "GOOG");
  clock.advance(500);
  await first.until(({ events }) => events.length === 6);
  first.response.destroy();
  clock.advance(5000);
  const last = first.events.at(-1)?.id as number;
  const second = await Client.open(feed.port, "GOOG,IBM", last);
  await second.until(({ events }) => events.filter(({ data }) => data.symbol === "GOOG").length === 51);
  const google = second.events.filter(({ data }) => data.symbol === "GOOG");
  assert.equal(google[0]?.id, last);
  const ticks = google.map(({ data }) => data.tick as number);
  assert.deepEqual(
    ticks,
    ticks.map((_, index) => (ticks[0] as number) + index),
  );
  assert.ok(
    second.events.find(({ data }) => data.symbol === "IBM" && "open" in data),
    "the new symbol has its snapshot",
  );
  second.response.destroy();
});

test("demo feed: an id older than the history gets the newest snapshot instead", async (t) => {
  const { clock, feed } = await serve(t, { historyMs: 1000 });
  const first = await Client.open(feed.port, "AAPL");
  await first.until(({ events }) => events.length === 1);
  first.response.destroy();
  clock.advance(10_000);
  const second = await Client.open(feed.port, "AAPL", first.events[0]?.id as number);
  await second.until(({ events }) => events.length === 1);
  assert.equal((second.events[0]?.data.tick as number) - (first.events[0]?.data.tick as number), 100);
  second.response.destroy();
});

test("demo feed: killed and started again, it goes on with the same numbers and replays what was missed", async (t) => {
  const { clock, feed } = await serve(t);
  const first = await Client.open(feed.port, "AAPL");
  await first.until(({ events }) => events.length === 1);
  const ended = first.ended;
  const { port } = feed;
  await feed.close();
  assert.equal(await ended, "end");
  clock.advance(2000);
  const again = await openDemoFeed({ port, resetEveryMs: null }, clock, seededRandom(7));
  t.after(() => again.close());
  const second = await Client.open(again.port, "AAPL", first.events[0]?.id as number);
  await second.until(({ events }) => events.length === 21);
  assert.deepEqual(second.events[0], first.events[0]);
  second.response.destroy();
});

test("demo feed: now and then it resets a connection, between the two bounds", async (t) => {
  const { clock, feed } = await serve(t, { resetEveryMs: [20_000, 40_000] });
  const client = await Client.open(feed.port, "AAPL");
  clock.advance(19_999);
  assert.equal(feed.resets, 0);
  clock.advance(20_001);
  assert.equal(feed.resets, 1);
  assert.equal(await client.ended, "ECONNRESET");
});

test("demo feed: comments keep an idle connection alive, and no timer is left when nobody listens", async (t) => {
  const { clock, feed } = await serve(t, { eventsPerSecond: 0.001 });
  assert.equal(clock.timersPending, 0);
  const client = await Client.open(feed.port, "AAPL");
  clock.advance(10_000);
  await client.until(({ text }) => text.endsWith("\n\n:\n\n"));
  client.response.destroy();
  const gone = await Client.open(feed.port, "MSFT");
  gone.response.destroy();
  while (feed.streams > 0) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(clock.timersPending, 0);
});

test("demo feed: a client that stops reading is cut when it falls out of the history, and costs no queue till then", async (t) => {
  const { clock, feed } = await serve(t, { historyMs: 600_000, eventsPerSecond: 1000 });
  const socket = connect(feed.port, "127.0.0.1");
  t.after(() => socket.destroy());
  socket.on("error", () => {});
  socket.write("GET /quotes?symbols=AAPL,AMZN,GOOG,IBM,MSFT HTTP/1.1\r\nhost: feed\r\n\r\n");
  await once(socket, "readable");
  assert.equal(feed.streams, 1);
  for (let steps = 0; feed.streams > 0; steps++) {
    assert.ok(steps < 2000, "still there");
    clock.advance(2000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal(feed.resets, 0);
});

test("demo feed: a port in use is told", async (t) => {
  const { feed, clock } = await serve(t);
  await assert.rejects(openDemoFeed({ port: feed.port }, clock, seededRandom(1)), { code: "EADDRINUSE" });
});

test("demo feed process: it tells its port, serves, and ends when told", async () => {
  const clock = new SystemClock();
  await using feed = await startDemoFeed(clock, { eventsPerSecond: 50 });
  assert.equal(feed.url, `http://127.0.0.1:${feed.port}/quotes?symbols={keys}`);
  const client = await Client.open(feed.port, "AAPL");
  await client.until(({ events }) => events.length > 3);
  await feed.close();
  await feed.close();
  assert.equal(await feed.ended, 0);
  await client.ended;
  assert.equal(clock.timersPending, 0);
});

test("demo feed process: it ends with its parent, though the parent is killed", async () => {
  const program = `
    import { startDemoFeed } from "#lab/demo-feed/process.ts";
    import { SystemClock } from "#base/system-clock.ts";
    const feed = await startDemoFeed(new SystemClock());
    process.stdout.write(JSON.stringify({ port: feed.port }));
  `;
  const parent = spawn(
    process.execPath,
    ["--conditions=streamkeeper-source", "--input-type=module", "-e", program],
    {
      cwd: import.meta.dirname,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [told] = await once(parent.stdout, "data");
  const client = await Client.open(JSON.parse(String(told)).port, "AAPL");
  parent.kill("SIGKILL");
  assert.equal(await client.ended, "end");
});
