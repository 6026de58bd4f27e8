import { Tally } from "#base/counters.ts";
import type { Counts, FeedSums } from "#ops/views.ts";

/**
 * What the feeds have counted that a reload took out or replaced. Sums over all feeds would fall without it, and who
 * watches a counter takes a fall for a restart: the other feeds' whole past would count once more.
 */
export class PastFeeds {
  readonly #ended = new Sums();
  /** Not in force any more, and still counting until their last socket is gone. */
  readonly #ending = new Set<FeedSums>();

  /** From now on the feed's counters are read here, while they go on counting. */
  ending(counters: FeedSums): void {
    this.#ending.add(counters);
  }

  /** They count no more. */
  ended(counters: FeedSums): void {
    if (this.#ending.delete(counters)) this.#ended.add(counters);
  }

  /** Since the start of the process; it never falls. */
  sums(): FeedSums {
    const sums = new Sums();
    for (const counters of [this.#ended, ...this.#ending]) sums.add(counters);
    return sums;
  }
}

class Sums implements FeedSums {
  events = 0;
  gaps = 0;
  resets = 0;
  readonly reconnects = new Tally();
  readonly drops = new Tally();
  readonly faults = new Tally();

  add({ events, gaps, resets, reconnects, drops, faults }: FeedSums): void {
    this.events += events;
    this.gaps += gaps;
    this.resets += resets;
    addAll(this.reconnects, reconnects);
    addAll(this.drops, drops);
    addAll(this.faults, faults);
  }
}

function addAll(to: Tally, counts: Counts): void {
  for (const [key, count] of counts.entries()) to.add(key, count);
}
