import type { Timer } from "#base/clock.ts";
import { FeedCounters } from "./feed-counters.ts";
import { createMapping, type Mapping } from "./mapping.ts";
import { Pool } from "./pool.ts";
import type { Feed, FeedContext, FeedSettings, FeedStats, WantVerdict } from "./ports.ts";
import { CONVICTED_MAX } from "./quarantine.ts";
import { type KeysPerRequest, keysPerRequest } from "./url-template.ts";

/**
 * Opens a feed. One without keys in its URL holds its link from now on; others open links when keys are wanted.
 *
 * @throws CodedError `json_pointer_invalid`, `topic_template_invalid`
 */
export function openFeed(settings: FeedSettings, context: FeedContext): Feed {
  const feed = new PooledFeed(settings, context, createMapping(settings));
  feed.open();
  return feed;
}

/** Which keys a feed holds: those that are wanted, and those that linger. Where they go is its pool's business. */
class PooledFeed implements Feed {
  readonly name: string;
  readonly counters = new FeedCounters();
  readonly #context: FeedContext;
  readonly #mapping: Mapping;
  readonly #mode: KeysPerRequest;
  readonly #pool: Pool;
  readonly #lingerMs: number;
  readonly #keysMax: number | null;
  /** Keys that nobody wants any more, and when each is let go; the first to go first. */
  readonly #lingering = new Map<string, number>();
  #lingerTimer: Timer | null = null;
  #closing: Promise<void> | null = null;

  constructor(settings: FeedSettings, context: FeedContext, mapping: Mapping) {
    const { keysPerLink, linksMax, lingerMs } = settings.pool;
    this.name = settings.name;
    this.#context = context;
    this.#mapping = mapping;
    this.#mode = mapping.topics.hasKey ? keysPerRequest(settings.urls[0]) : "none";
    this.#keysMax = { many: linksMax * keysPerLink, one: linksMax, none: null }[this.#mode];
    this.#lingerMs = lingerMs;
    const crowdedOut = (keys: readonly string[]) => this.#crowdedOut(keys);
    this.#pool = new Pool(settings, this.#mode, mapping, this.counters, context, crowdedOut);
  }

  open(): void {
    this.#pool.open();
  }

  topicKey(topic: string): string | null {
    return this.#mapping.topics.match(topic);
  }

  topicsSeen(): Iterable<string> {
    return this.#mapping.topicsSeen();
  }

  holds(key: string): boolean {
    return this.#closing === null && (this.#mode === "none" || this.#pool.has(key));
  }

  want(key: string): WantVerdict {
    if (this.#closing !== null) return "closed";
    if (this.#mode === "none") return "ok";
    if (this.#pool.has(key)) {
      if (this.#lingering.delete(key)) this.#pool.renew(key);
      return "ok";
    }
    if (!this.#makeRoom()) {
      this.counters.keysRefused++;
      return "full";
    }
    this.#pool.hold(key);
    return "ok";
  }

  unwant(key: string): void {
    if (this.#closing !== null || !this.#pool.has(key) || this.#lingering.has(key)) return;
    this.#lingering.set(key, this.#context.clock.monotonicMs() + this.#lingerMs);
    if (this.#lingerTimer === null) this.#armLinger();
  }

  stats(): FeedStats {
    return {
      name: this.name,
      keysWanted: this.#pool.keys - this.#lingering.size,
      keysLingering: this.#lingering.size,
      keysMax: this.#keysMax,
      keysQuarantined: this.#pool.keysQuarantined,
      sockets: this.#pool.dialer.sockets,
      links: this.#pool.stats(),
    };
  }

  rotate(link: number): boolean {
    return this.#closing === null && this.#pool.rotate(link);
  }

  cut(link: number): boolean {
    return this.#closing === null && this.#pool.cut(link);
  }

  close(reason = "closed"): Promise<void> {
    this.#closing ??= this.#close(reason);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #close(reason: string): Promise<void> {
    this.#context.log.info({ feed: this.name, reason }, "feed closed");
    this.#lingerTimer?.cancel();
    this.#lingerTimer = null;
    this.#lingering.clear();
    return this.#pool.close();
  }

  /** Whether one key more can be held. Keys in quarantine take no place on a link; they have a bound of their own. */
  #makeRoom(): boolean {
    if (this.#keysMax === null) return true;
    const quarantined = this.#pool.keysQuarantined;
    const isFull = this.#pool.keys - quarantined >= this.#keysMax;
    if (!isFull && quarantined < CONVICTED_MAX) return true;
    return this.#letGoOne((key) => this.#pool.isQuarantined(key) !== isFull);
  }

  /** What lingers has to give way to what is wanted. Answers false when nothing does that would help. */
  #letGoOne(helps: (key: string) => boolean): boolean {
    const key = this.#lingering.keys().find(helps);
    if (key === undefined) return false;
    this.#letGo(key);
    return true;
  }

  /** There is no place left to ask for keys that the feed has rejected before: like one that comes now, they find it full. */
  #crowdedOut(keys: readonly string[]): void {
    const crowded = new Set(keys);
    if (this.#letGoOne((key) => crowded.has(key) || !this.#pool.isQuarantined(key))) return;
    for (const key of keys) this.#letGo(key);
    this.counters.keysRefused += keys.length;
    const topics = keys.map((key) => this.#mapping.topics.expand(key)).filter((topic) => topic !== null);
    this.#context.log.warn(
      { feed: this.name, topics: topics.length },
      "every link is full: keys that the feed had rejected are given up",
    );
    this.#context.sink.refused?.(topics);
  }

  #armLinger(): void {
    const { clock } = this.#context;
    const first = this.#lingering.values().next();
    if (first.done) {
      this.#lingerTimer = null;
      return;
    }
    this.#lingerTimer = clock.after(first.value - clock.monotonicMs(), () => {
      const nowMs = clock.monotonicMs();
      for (const [key, dueMs] of this.#lingering) {
        if (dueMs > nowMs) break;
        this.#letGo(key);
      }
      this.#armLinger();
    });
  }

  #letGo(key: string): void {
    this.#lingering.delete(key);
    this.#pool.release(key);
  }
}
