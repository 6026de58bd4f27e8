import type { TopicMatcher } from "#protocol/topic-matcher.ts";
import type { GapBook } from "./gap-book.ts";
import type { HubEvent } from "./hub-event.ts";
import type { Log } from "./log.ts";
import type { HistoryQuery } from "./ports.ts";
import type { ChainNode, Topic } from "./topic.ts";

/**
 * Reads what a subscriber missed, event by event, at the pace of whoever asks. While it reads, its owner ignores
 * live events; when `next()` answers null the owner has all there is and goes live, in the same turn: so there is
 * no hole and no double between replay and live. It holds no event, so a slow reader keeps none alive.
 */
export interface LogReader {
  /** The next event in order; null when there is none yet, or when `lost`. */
  next(): HubEvent | null;
  /** True once the log let go of an event that was still to be read. What follows can't be exact. */
  readonly lost: boolean;
  /** Sequence through which everything asked for has been read. */
  readonly position: number;
}

/** Reads exactly named topics by their chains. */
export class ChainReader implements LogReader {
  readonly #log: Log;
  readonly #places: { readonly topic: Topic; last: ChainNode | null; next: ChainNode | null }[];
  #position: number;
  lost = false;

  /** @param topics alive for as long as the reader is used: its owner subscribes to them first */
  constructor(log: Log, topics: readonly Topic[], afterSequence: number) {
    this.#log = log;
    this.#places = topics.map((topic) => ({ topic, last: null, next: null }));
    this.#position = afterSequence;
  }

  get position(): number {
    return this.#position;
  }

  next(): HubEvent | null {
    if (this.lost) return null;
    let earliest: HubEvent | null = null;
    for (const place of this.#places) {
      if (place.topic.evictedThrough > this.#position) {
        this.lost = true;
        return null;
      }
      const node = this.#advance(place);
      if (node !== null && (earliest === null || node.event.sequence < earliest.sequence))
        earliest = node.event;
    }
    this.#position = earliest === null ? this.#log.head : earliest.sequence;
    return earliest;
  }

  /** The place's first node after the position. An event of two of the topics is passed in both at once. */
  #advance(place: {
    readonly topic: Topic;
    last: ChainNode | null;
    next: ChainNode | null;
  }): ChainNode | null {
    if (place.next === null || place.next.evicted) {
      const follows = place.last !== null && !place.last.evicted;
      place.next = follows ? (place.last as ChainNode).next : place.topic.firstAfter(this.#position);
    }
    while (place.next !== null && place.next.event.sequence <= this.#position) {
      place.last = place.next;
      place.next = place.next.next;
    }
    return place.next;
  }
}

/** Reads the whole log past what matches: for patterns. */
export class ScanReader implements LogReader {
  readonly #log: Log;
  readonly #selectors: readonly TopicMatcher[];
  /** Matching is by name; each topic is matched once a reader. */
  readonly #verdicts = new Map<Topic, boolean>();
  readonly #gaps: GapBook;
  #gapsSeen: number;
  #position: number;
  lost = false;

  constructor(log: Log, gaps: GapBook, selectors: readonly TopicMatcher[], afterSequence: number) {
    this.#log = log;
    this.#gaps = gaps;
    this.#gapsSeen = gaps.newest;
    this.#selectors = selectors;
    this.#position = afterSequence;
  }

  get position(): number {
    return this.#position;
  }

  next(): HubEvent | null {
    if (this.lost) return null;
    if (this.#log.evictedThrough > this.#position || this.#hasNewGap()) {
      this.lost = true;
      return null;
    }
    while (this.#position < this.#log.head) {
      this.#position++;
      for (let node = this.#log.at(this.#position); node !== null; node = node.sibling) {
        if (this.#matches(node.topic)) return node.event;
      }
    }
    return null;
  }

  #hasNewGap(): boolean {
    if (this.#gaps.newest === this.#gapsSeen) return false;
    this.#gapsSeen = this.#gaps.newest;
    return this.#gaps.newestOn(this.#selectors) > this.#position;
  }

  #matches(topic: Topic): boolean {
    let verdict = this.#verdicts.get(topic);
    if (verdict === undefined) {
      verdict = this.#selectors.some((selector) => selector.matches(topic.name));
      this.#verdicts.set(topic, verdict);
    }
    return verdict;
  }
}

/** Held events of one topic. */
export function readHistory(topic: Topic, { afterSequence: from, limit, reverse }: HistoryQuery): HubEvent[] {
  const events: HubEvent[] = [];
  if (limit <= 0) return events;
  let node = reverse ? topic.last : from === undefined ? topic.first : topic.firstAfter(from);
  while (node !== null && events.length < limit) {
    if (!reverse || from === undefined || node.event.sequence < from) events.push(node.event);
    node = reverse ? node.previous : node.next;
  }
  return events;
}
