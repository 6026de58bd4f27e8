import assert from "node:assert/strict";
import { silentLogger } from "#base/logger.ts";
import { seededRandom } from "#base/random.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { openFeed } from "#upstream/feed.ts";
import type { Feed, FeedEvent, FeedSettings, GapInfo, PoolSettings } from "#upstream/ports.ts";
import { FeedServer, type FeedServerOptions } from "./feed-server.ts";

export const LINGER_MS = 5000;
export const GATHER_MS = 50;

export interface FeedRigOptions {
  readonly path?: string;
  readonly topic?: string;
  readonly key?: string | null;
  readonly pool?: Partial<PoolSettings>;
  readonly rotateAfterMs?: number;
  readonly retryMaxMs?: number;
  readonly connectTimeoutMs?: number;
  readonly server?: FeedServerOptions;
  /** Asked when the rig's own server fails. */
  readonly fallback?: FeedServer;
}

/** A feed on a real server, in virtual time: `until` and `pass` let sockets and clock run on together. */
export class FeedRig implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly events: FeedEvent[] = [];
  readonly gaps: { topics: readonly string[]; info: GapInfo }[] = [];
  readonly released: string[] = [];
  readonly refused: string[] = [];
  readonly server: FeedServer;
  readonly feed: Feed;
  readonly #published = new Map<string, number[]>();
  /** Numbers of the events of each key: they are looked at on every turn. */
  readonly #receivedOf = new Map<string, number[]>();

  static async open(options: FeedRigOptions = {}): Promise<FeedRig> {
    return new FeedRig(await FeedServer.open(options.server), options);
  }

  constructor(server: FeedServer, options: FeedRigOptions) {
    this.server = server;
    const { fallback, path = "/quotes?symbols={keys}" } = options;
    const settings: FeedSettings = {
      name: "test",
      urls: [`${server.origin}${path}`, ...(fallback === undefined ? [] : [`${fallback.origin}${path}`])],
      topic: options.topic ?? "/quotes/{key}",
      headers: {},
      items: null,
      key: options.key === undefined ? "/symbol" : options.key,
      state: "last",
      access: "private",
      pool: { keysPerLink: 50, linksMax: 8, lingerMs: LINGER_MS, gatherMs: GATHER_MS, ...options.pool },
      health: {
        connectTimeoutMs: options.connectTimeoutMs ?? 60_000,
        idleTimeoutMs: 600_000,
        rotateAfterMs: options.rotateAfterMs ?? 0,
        eventBytesMax: 65_536,
      },
      retry: { minMs: 20, maxMs: options.retryMaxMs ?? 200, resetAfterMs: 1000 },
    };
    this.feed = openFeed(settings, {
      clock: this.clock,
      random: seededRandom(7),
      log: silentLogger,
      sink: {
        publish: (event) => this.#receive(event),
        gap: (topics, info) => this.gaps.push({ topics, info }),
        released: (topics) => this.released.push(...topics),
        refused: (topics) => this.refused.push(...topics),
      },
    });
  }

  /** Lets time pass, a millisecond for each turn of the event loop, until something holds. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const deadlineMs = performance.now() + 10_000;
    while (!holds()) {
      if (performance.now() > deadlineMs) assert.fail(`not in time: ${what}`);
      await new Promise((resolve) => setImmediate(resolve));
      this.clock.advance(1);
    }
  }

  async pass(ms: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + ms;
    await this.until("time to pass", () => this.clock.monotonicMs() >= untilMs);
  }

  async hold(key: string): Promise<void> {
    assert.equal(this.feed.want(key), "ok");
    await this.until(`a link for ${key}`, () => this.isServed(key));
  }

  /** Whether the server has open streams that carry these keys, and nothing is being dialled. */
  isServed(...keys: string[]): boolean {
    const served = this.server.keysServed();
    return (
      keys.every((key) => served.has(key)) &&
      this.feed.stats().links.every((link) => link.state !== "connecting")
    );
  }

  /** The same, whatever else is being dialled. */
  isServedAmongOthers(...keys: string[]): boolean {
    const served = this.server.keysServed();
    return keys.every((key) => served.has(key));
  }

  publish(...keys: string[]): void {
    for (const key of keys) {
      const id = this.server.publish(key);
      const ids = this.#published.get(key);
      if (ids === undefined) this.#published.set(key, [id]);
      else ids.push(id);
    }
  }

  lastPublished(key: string): number | undefined {
    return this.#published.get(key)?.at(-1);
  }

  lastOf(key: string): number | undefined {
    return this.#received(key).at(-1);
  }

  caughtUp(): Promise<void> {
    return this.until("the last events", () =>
      [...this.#published.keys()].every((key) => this.lastOf(key) === this.lastPublished(key)),
    );
  }

  assertExact(keys: Iterable<string> = this.#published.keys()): void {
    for (const key of keys)
      assert.deepEqual(this.#received(key), this.#published.get(key), `events of ${key}`);
  }

  assertNoneTwice(): void {
    for (const key of this.#published.keys()) {
      const received = this.#received(key);
      assert.ok(
        received.every((n, at) => at === 0 || n > (received[at - 1] as number)),
        `${key} in order, none twice: ${received}`,
      );
    }
  }

  #receive(event: FeedEvent): void {
    this.events.push(event);
    const numbers = this.#receivedOf.get(event.key);
    const { n } = JSON.parse(event.data) as { readonly n: number };
    if (numbers === undefined) this.#receivedOf.set(event.key, [n]);
    else numbers.push(n);
  }

  #received(key: string): readonly number[] {
    return this.#receivedOf.get(key) ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.feed.close();
    assert.equal(this.clock.timersPending, 0, "no timer is left");
    assert.equal(this.feed.stats().sockets, 0, "no socket is left");
    await this.server.kill();
  }
}
