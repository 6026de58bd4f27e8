import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { openFeed } from "#upstream/feed.ts";
import type { Feed, FeedEvent, FeedSink } from "#upstream/ports.ts";
import { until } from "../../../test/helpers/feed-server.ts";
import { type Answers, seededAnswers, streamAnswer } from "../fault-feed/answer.ts";
import type { NumberedData } from "../fault-feed/numbered-events.ts";
import { type FaultFeed, openFaultFeed } from "../fault-feed/server.ts";
import { type FaultProxy, openFaultProxy } from "../fault-proxy/proxy.ts";
import { type SeededKind, seededScript } from "../fault-proxy/script.ts";

const KEYS = 200;
const EVENTS = 20_000;
const LINKS_MAX = 6;
/** Half of the faults are none that the system would tell of. */
const MIXTURE: readonly SeededKind[] = ["reset", "reset_inside_event", "silence", "truncate_inside_event"];

describe("fault storm", { concurrency: 3 }, () => {
  test("fault storm: each connection reset after 10 to 200 events, 20,000 events of 200 keys: each once, in order", async () => {
    await using storm = await Storm.open({ seed: 1, kinds: ["reset"] });
    await storm.play();
    await until("every event", () => storm.isComplete(), 30_000);
    storm.assertNothing("lost", "untold", "doubled", "gaps");
    const { faults, activePeak } = storm.proxy.stats();
    assert.ok((faults.reset ?? 0) >= EVENTS / 200, `${faults.reset} resets`);
    assert.ok(activePeak <= LINKS_MAX && storm.source.peaks.connections <= LINKS_MAX);
    await storm.assertGone();
  });

  test("fault storm: the same with silences, truncations and 503 answers", async () => {
    const busy = seededAnswers(seededRandom(2), 0.2, [{ kind: "status", status: 503 }]);
    await using storm = await Storm.open({ seed: 3, kinds: MIXTURE, answers: busy });
    await storm.play();
    await until("every event", () => storm.isComplete(), 30_000);
    storm.assertNothing("lost", "untold", "doubled", "gaps");
    const { faults } = storm.proxy.stats();
    for (const kind of ["reset", "silence", "truncate"] as const) assert.ok((faults[kind] ?? 0) > 10, kind);
    assert.ok(storm.feed.counters.reconnects.of("server_error") > 10);
    await storm.assertGone();
  });

  test("fault storm: without event ids nothing comes twice or out of order, and every loss is told before it shows", async () => {
    await using storm = await Storm.open({ seed: 4, kinds: MIXTURE, ids: false });
    await storm.play();
    storm.assertNothing("untold", "doubled");
    assert.ok(storm.lost > 0 && storm.gaps > 0, "there were losses to tell");
    await storm.assertGone();
  });
});

interface StormOptions {
  readonly seed: number;
  readonly kinds: readonly SeededKind[];
  readonly ids?: boolean;
  readonly answers?: Answers;
}

/** A pool of links in a storm of faults, and the books of what came through. */
class Storm implements FeedSink, AsyncDisposable {
  readonly source: FaultFeed;
  readonly proxy: FaultProxy;
  readonly feed: Feed;
  lost = 0;
  untold = 0;
  doubled = 0;
  gaps = 0;
  readonly #clock: SystemClock;
  /** The last number of each key. */
  readonly #last = new Map<string, number>();
  readonly #told = new Set<string>();

  private constructor(source: FaultFeed, proxy: FaultProxy, clock: SystemClock, seed: number) {
    this.source = source;
    this.proxy = proxy;
    this.#clock = clock;
    this.feed = openFeed(
      {
        name: "storm",
        urls: [`http://127.0.0.1:${proxy.port}/quotes?symbols={keys}`],
        topic: "/quotes/{key}",
        headers: {},
        items: null,
        key: "/symbol",
        state: "none",
        access: "private",
        pool: { keysPerLink: 50, linksMax: LINKS_MAX, lingerMs: 60_000, gatherMs: 5 },
        health: { connectTimeoutMs: 2000, idleTimeoutMs: 150, rotateAfterMs: 0, eventBytesMax: 65_536 },
        retry: { minMs: 2, maxMs: 20, resetAfterMs: 50 },
      },
      { clock, random: seededRandom(seed), log: silentLogger, sink: this },
    );
  }

  static async open({ seed, kinds, ids = true, answers }: StormOptions): Promise<Storm> {
    const clock = new SystemClock();
    const source = await openFaultFeed({ keys: KEYS, ids, heartbeatMs: 40 }, clock);
    const proxy = await openFaultProxy({ target: { port: source.port } }, clock);
    const storm = new Storm(source, proxy, clock, seed);
    for (const key of source.events.keys) storm.feed.want(key);
    await until("the links", () => source.events.keys.every((key) => source.streamsOf(key) === 1));
    await until("open links", () => storm.feed.stats().links.every(({ state }) => state === "open"));
    // One of each key first: what came before it would be nobody's loss.
    source.publish(KEYS);
    await until("one of each", () => storm.#last.size === KEYS);
    if (answers !== undefined) source.answers = answers;
    proxy.script = seededScript(seededRandom(seed), { kinds });
    proxy.inject({ do: "reset" });
    return storm;
  }

  async play(): Promise<void> {
    await this.source.play(EVENTS - KEYS, 10_000);
  }

  isComplete(): boolean {
    for (const last of this.#last.values()) if (last < EVENTS / KEYS) return false;
    return true;
  }

  assertNothing(...what: readonly ("lost" | "untold" | "doubled" | "gaps")[]): void {
    for (const count of what) assert.equal(this[count], 0, `${this[count]} ${count}`);
  }

  /** Closes the feed: no timer and no socket of it is left. */
  async assertGone(): Promise<void> {
    await this.feed.close();
    assert.equal(this.feed.stats().sockets, 0);
    assert.deepEqual(this.feed.stats().links, []);
    this.source.answers = () => streamAnswer;
    await until("no connection", () => this.proxy.stats().active === 0);
    // The heartbeat of the source.
    assert.equal(this.#clock.timersPending, 1);
  }

  publish({ key, topic, data }: FeedEvent): void {
    const { seq } = JSON.parse(data) as NumberedData;
    const expected = (this.#last.get(key) ?? 0) + 1;
    if (seq < expected) {
      this.doubled++;
      return;
    }
    this.lost += seq - expected;
    if (seq > expected && !this.#told.has(topic)) this.untold++;
    this.#told.delete(topic);
    this.#last.set(key, seq);
  }

  gap(topics: readonly string[]): void {
    this.gaps++;
    for (const topic of topics) this.#told.add(topic);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.feed.close();
    await this.proxy.close();
    await this.source.close();
  }
}
