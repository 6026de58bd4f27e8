import type { TopicMatcher } from "#protocol/topic-matcher.ts";
import { PatternGroup, type Topic } from "./topic.ts";

/**
 * Most distinct patterns at once that are costly to match. Each is tried on every topic that has an event, and whoever may
 * subscribe to anything may think up any pattern.
 */
const COSTLY_MAX = 256;
/** Patterns that are gone and still stand in topics' lists, before these are cleared of them, beside as many as there are. */
const GONE_MAX = 64;

/**
 * The patterns that are subscribed to, and which topics they match. A topic is matched when it has an event, against what
 * has come since its last one: so neither a stream of many patterns nor one of many new topics costs patterns times topics
 * within a turn.
 */
export class PatternBook {
  readonly #topics: () => Iterable<Topic>;
  readonly #byKey = new Map<string, PatternGroup>();
  /** By `serial`, which only grows. */
  readonly #inOrder: PatternGroup[] = [];
  #serial = 0;
  #costly = 0;
  #gone = 0;

  /** @param topics all that were ever given to `of` and are still there */
  constructor(topics: () => Iterable<Topic>) {
    this.#topics = topics;
  }

  get size(): number {
    return this.#inOrder.length;
  }

  [Symbol.iterator](): IterableIterator<PatternGroup> {
    return this.#byKey.values();
  }

  get(matcher: TopicMatcher): PatternGroup | undefined {
    return this.#byKey.get(matcher.key);
  }

  /** Whether these can be subscribed to as well; those that somebody has are free. */
  hasRoomFor(matchers: readonly TopicMatcher[]): boolean {
    const fresh = matchers.filter((matcher) => matcher.isCostly === true && !this.#byKey.has(matcher.key));
    return fresh.length === 0 || this.#costly + fresh.length <= COSTLY_MAX;
  }

  groupOf(matcher: TopicMatcher): PatternGroup {
    let group = this.#byKey.get(matcher.key);
    if (group === undefined) {
      group = new PatternGroup(matcher, ++this.#serial);
      this.#byKey.set(matcher.key, group);
      this.#inOrder.push(group);
      if (matcher.isCostly === true) this.#costly++;
    }
    return group;
  }

  forget(group: PatternGroup): void {
    if (this.#byKey.get(group.matcher.key) !== group) return;
    this.#byKey.delete(group.matcher.key);
    this.#inOrder.splice(this.#firstAfter(group.serial - 1), 1);
    if (group.matcher.isCostly === true) this.#costly--;
    group.isGone = true;
    this.#gone++;
    if (this.#inOrder.length > 0 && this.#gone <= GONE_MAX + this.#inOrder.length) return;
    this.#gone = 0;
    for (const topic of this.#topics()) dropGone(topic);
  }

  /** The patterns that match the topic. */
  of(topic: Topic): readonly PatternGroup[] {
    if (this.#gone > 0 && topic.patterns.some(({ isGone }) => isGone)) dropGone(topic);
    if (topic.matchedThrough < this.#serial) {
      for (let index = this.#firstAfter(topic.matchedThrough); index < this.#inOrder.length; index++) {
        const group = this.#inOrder[index] as PatternGroup;
        if (group.matcher.matches(topic.name)) topic.patterns.push(group);
      }
      topic.matchedThrough = this.#serial;
    }
    return topic.patterns;
  }

  #firstAfter(serial: number): number {
    let [from, to] = [0, this.#inOrder.length];
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((this.#inOrder[middle] as PatternGroup).serial > serial) to = middle;
      else from = middle + 1;
    }
    return from;
  }
}

function dropGone(topic: Topic): void {
  let kept = 0;
  for (const group of topic.patterns) if (!group.isGone) topic.patterns[kept++] = group;
  topic.patterns.length = kept;
}
