import {
  askLeave,
  attemptFailed,
  attemptRejected,
  type Breaker,
  type BreakerSettings,
  CLOSED,
  followWithinMs,
} from "./breaker.ts";
import type { Link } from "./link.ts";
import type { PoolParts } from "./pool-parts.ts";

/** Performs what `breaker` decides, for the links of one pool. */
export class FeedBreaker {
  readonly #parts: PoolParts;
  readonly #settings: BreakerSettings;
  #breaker: Breaker = CLOSED;

  constructor(parts: PoolParts) {
    this.#parts = parts;
    const { retry, health } = parts.settings;
    this.#settings = {
      minMs: Math.min(retry.maxMs / 2, 4 * retry.minMs),
      // Half of the links' own, so that with what follows the feed is back within one of their windows.
      maxMs: retry.maxMs / 2,
      probeMs: health.connectTimeoutMs,
    };
  }

  get #isClosed(): boolean {
    return this.#breaker.name === "closed";
  }

  /**
   * Whether the quarantine may open a link. While the feed is down, those that wait ask for leave one at a time, and are
   * waited for; when there is none, nobody else would ever find out that the feed is back.
   */
  get letsProbe(): boolean {
    if (this.#isClosed) return true;
    for (const { link } of this.#parts.seats) {
      if (link.state.name === "waiting" || link.state.name === "connecting") return false;
    }
    return true;
  }

  /** A link's time to try again has come: how much longer it waits all the same, in milliseconds. */
  holdBackMs(link: Link): number {
    const { clock, random } = this.#parts.context;
    const [breaker, waitMs] = askLeave(this.#breaker, link.id, this.#settings, clock.monotonicMs(), random);
    this.#breaker = breaker;
    return waitMs;
  }

  attemptFailed(link: Link): void {
    const { context, quietLog, seats, settings } = this.#parts;
    const { clock, random } = context;
    const links = seats.hasOpen ? 0 : seats.size;
    const before = this.#breaker;
    this.#breaker = attemptFailed(before, link.id, links, this.#settings, clock.monotonicMs(), random);
    if (before.name !== "closed" || this.#isClosed) return;
    const fields = { feed: settings.name, links };
    quietLog.warn("feed_down", fields, "every link of the feed fails: one at a time tries from now on");
  }

  attemptRejected(link: Link): void {
    this.#breaker = attemptRejected(this.#breaker, link.id);
  }

  attemptSucceeded(): void {
    const wasClosed = this.#isClosed;
    this.#breaker = CLOSED;
    if (wasClosed) return;
    const { context, seats, settings } = this.#parts;
    const waiting = [...seats].filter(({ link }) => link.state.name === "waiting");
    const withinMs = followWithinMs(waiting.length, this.#settings);
    for (const { link } of waiting) link.hurry(withinMs);
    context.log.info({ feed: settings.name, links: waiting.length, withinMs }, "feed is back");
  }
}
