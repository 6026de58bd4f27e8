import type { Connection } from "#downstream/connection.ts";
import type { FeedStats } from "#upstream/ports.ts";
import type { Client } from "./client.ts";
import { FEED_CALM_MS, type FeedOrigin } from "./feed-origin.ts";
import type { GatewayLife } from "./gateway-life.ts";
import type { Scenario } from "./scenario.ts";
import { HIGH_WATER_BYTES } from "./simulated-socket.ts";
import type { World } from "./world.ts";

/** Between two looks at everything that takes longer than a step may, in milliseconds. */
export const PULSE_MS = 20_000;

/** A feed's event must be published so soon while all is well, in milliseconds. */
const PUBLISHED_MS = 10_000;
/** A key may be without a link for so long: it is gathered, or asked for apart, in milliseconds. */
const HOMELESS_MS = 180_000;
/** The longest a link may wait, in milliseconds: `Retry-After` of a run, backoff and the breaker's pause. */
const WAIT_MS_MAX = 120_000;

/** How long a queue may be over its bound at most: the write deadline's, and what it takes to be looked at, in milliseconds. */
const OVER_BOUND_MS = 180_000;

interface KeyTopic {
  readonly key: string;
  readonly topic: string;
}

/** What must be so, at each step and at each pulse, whatever has happened. */
export class Checks {
  readonly #world: World;
  readonly #scenario: Scenario;
  /** Feeds by name, with the topic of each of their keys. */
  readonly #feeds: ReadonlyMap<string, { readonly origin: FeedOrigin; readonly topics: readonly KeyTopic[] }>;
  /** Connections with more queued than may wait, since when, and how much. */
  readonly #overBounds = new WeakMap<
    Connection,
    { readonly queuedBytes: number; readonly sinceMs: number }
  >();
  /** Since when a feed's keys have had no link; by feed. */
  readonly #homelessSinceMs = new Map<string, number>();
  readonly #retries = new Map<string, { count: number; atMs: number }>();
  /** Since when a key is wanted without a break; by topic. */
  readonly #wantedSinceMs = new Map<string, number>();

  constructor(world: World, scenario: Scenario, origins: ReadonlyMap<string, FeedOrigin>) {
    this.#world = world;
    this.#scenario = scenario;
    this.#feeds = new Map(
      Array.from(origins, ([name, origin]) => {
        const { keys, settings } = origin.plan;
        const topics = keys.map((key) => ({ key, topic: settings.topic.replace("{key}", key) }));
        return [name, { origin, topics }];
      }),
    );
  }

  /** After each step of which anything came; cheap. */
  step(life: GatewayLife): void {
    const { counters, registry, hub } = life;
    const { limits, log } = this.#scenario;
    const drift = counters.opened.total - counters.closed.total - registry.size;
    if (drift !== 0) this.#breaks("books", `opened less closed is off by ${drift}`);
    for (const connection of registry) {
      if (connection.queuedBytes > limits.queueBytes + QUEUE_SLACK_BYTES) this.#overBound(connection);
      else this.#overBounds.delete(connection);
    }
    // What is encoded for a replay counts until the next event or tick.
    const { logBytes } = hub.stats();
    if (logBytes > 2 * log.bytesMax) this.#breaks("bounds", `the log has ${logBytes} bytes`);
    if (registry.size > limits.connections) this.#breaks("bounds", `${registry.size} connections are open`);
    for (const { name, settings } of this.#scenario.feeds) {
      const network = life.networkOf(name);
      if (network !== null && network.sockets > settings.pool.linksMax + 1) {
        this.#breaks("links", `${name} has ${network.sockets} links; linksMax is ${settings.pool.linksMax}`);
      }
    }
    for (const feed of life.feedDesk.feeds) this.#retry(feed.name, feed.counters.reconnects.total);
  }

  /**
   * What one turn brings, such as what was held back for a key that was in doubt, is queued whole, since the client has read
   * all before. It must not grow, and has to be gone when a client that does not read would be.
   */
  #overBound(connection: Connection): void {
    const { nowMs } = this.#world;
    const { id, queuedBytes } = connection;
    const before = this.#overBounds.get(connection);
    if (before === undefined) this.#overBounds.set(connection, { queuedBytes, sinceMs: nowMs });
    else if (queuedBytes > before.queuedBytes || nowMs - before.sinceMs > OVER_BOUND_MS)
      this.#breaks("bounds", `${queuedBytes} bytes wait for connection ${id}, ${before.queuedBytes} did`);
  }

  /** Every twenty seconds. */
  pulse(life: GatewayLife, clients: readonly Client[]): void {
    this.step(life);
    for (const client of clients) client.check();
    if (!life.isServing) return;
    this.#sums(life);
    for (const feed of life.feedDesk.feeds) {
      const known = this.#feeds.get(feed.name);
      if (known !== undefined) this.#feed(life, feed.stats(), known.origin, known.topics);
    }
  }

  /** Two links that try again in the very same instant were not spread by chance. */
  #retry(feed: string, count: number): void {
    const { nowMs } = this.#world;
    const before = this.#retries.get(feed);
    if (before === undefined || count <= before.count) {
      this.#retries.set(feed, {
        count,
        atMs: before === undefined || count < before.count ? nowMs : before.atMs,
      });
      return;
    }
    if (before.atMs === nowMs) this.#breaks("jitter", `two links of ${feed} try again in the same instant`);
    before.count = count;
    before.atMs = nowMs;
  }

  #sums({ hub, registry }: GatewayLife): void {
    const { listed, counted } = hub.countSubscribers();
    const { wrong, drift, subscribers } = registry.audit();
    if (listed !== counted || subscribers !== listed) {
      this.#breaks(
        "books",
        `the hub counts ${counted} subscribers, lists ${listed}; connections have ${subscribers}`,
      );
    }
    if (wrong.length > 0 || drift !== 0)
      this.#breaks("books", `the registry is wrong in ${wrong.join()} ${drift}`);
  }

  #feed(life: GatewayLife, stats: FeedStats, origin: FeedOrigin, topics: readonly KeyTopic[]): void {
    const { plan } = origin;
    const { nowMs } = this.#world;
    const wanted = new Set(topics.filter(({ topic }) => isSubscribed(life, topic)));
    const isKeyed = plan.settings.addressing !== "none";
    if (isKeyed && stats.keysWanted !== wanted.size) {
      this.#breaks("books", `${plan.name} wants ${stats.keysWanted} keys; ${wanted.size} have subscribers`);
    }
    this.#attempts(stats, origin, isKeyed);
    for (const each of topics) {
      const { key, topic } = each;
      if (isKeyed && !wanted.has(each)) {
        this.#wantedSinceMs.delete(topic);
        continue;
      }
      const sinceMs = this.#wantedSinceMs.get(topic) ?? nowMs;
      this.#wantedSinceMs.set(topic, sinceMs);
      const troubledAtMs = Math.max(
        origin.troubledAtMs,
        life.bornMs,
        life.reloadedAtMs,
        life.book.gapAtMs(topic),
      );
      const calmSinceMs = Math.max(sinceMs, troubledAtMs);
      if (nowMs - calmSinceMs < FEED_CALM_MS) continue;
      const published = life.book.lastOf(topic) ?? 0;
      if (published >= origin.countOf(key)) continue;
      const due = origin.countBefore(key, nowMs - PUBLISHED_MS);
      // Only what came since all is well must be here.
      if (due <= origin.countBefore(key, calmSinceMs + FEED_CALM_MS - PULSE_MS)) continue;
      if (published < due)
        this.#breaks("late", `${topic} ${due} was sent by its feed; ${published} was published last`);
    }
  }

  #attempts(stats: FeedStats, origin: FeedOrigin, isKeyed: boolean): void {
    const { nowMs } = this.#world;
    const feed = origin.plan.name;
    const { links, keysWanted, keysLingering, keysQuarantined } = stats;
    for (const { id, state, nextAttemptMs } of links) {
      const isTrying = state === "open" || state === "connecting";
      if (isTrying || (nextAttemptMs !== null && nextAttemptMs <= WAIT_MS_MAX)) continue;
      this.#breaks("attempt", `link ${id} of ${feed} is ${state} and tries again in ${nextAttemptMs} ms`);
    }
    const placed = links.reduce((sum, { keys }) => sum + keys, 0) + keysQuarantined;
    const isHome = isKeyed ? placed >= keysWanted + keysLingering : links.length > 0;
    if (isHome) {
      this.#homelessSinceMs.delete(feed);
      return;
    }
    const sinceMs = this.#homelessSinceMs.get(feed) ?? nowMs;
    this.#homelessSinceMs.set(feed, sinceMs);
    // One that takes no request now can be tried only, apart from others' links.
    if (nowMs - Math.max(sinceMs, origin.troubledAtMs) > HOMELESS_MS) {
      this.#breaks("attempt", `${feed} has keys on no link: ${placed} of ${keysWanted + keysLingering}`);
    }
  }

  #breaks(...[promise, detail]: Parameters<World["breaks"]>): void {
    this.#world.breaks(promise, detail);
  }
}

/** What a socket takes before it says that it is full, and the largest frame. */
const QUEUE_SLACK_BYTES = HIGH_WATER_BYTES + 64 * 1024;

function isSubscribed({ hub }: GatewayLife, topic: string): boolean {
  for (const _ of hub.subscribersOf(topic)) return true;
  return false;
}
