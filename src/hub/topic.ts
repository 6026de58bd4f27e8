import { CodedError } from "#base/errors.ts";
import type { TopicMatcher } from "#protocol/topic-matcher.ts";
import type { HubEvent } from "./hub-event.ts";
import type { TopicState } from "./topic-state.ts";

/** One event's place in the chain of one of its topics. */
export class ChainNode {
  readonly event: HubEvent;
  readonly topic: Topic;
  next: ChainNode | null = null;
  previous: ChainNode | null = null;
  /** The same event's node in its next topic's chain. */
  sibling: ChainNode | null = null;
  evicted = false;

  constructor(event: HubEvent, topic: Topic) {
    this.event = event;
    this.topic = topic;
  }
}

/**
 * What the hub knows of one topic. It exists while there is a reason: a subscriber, an event in the log, a state,
 * or a reader.
 */
export class Topic {
  readonly name: string;
  /** Oldest and newest event of the topic that the log holds. */
  first: ChainNode | null = null;
  last: ChainNode | null = null;
  /** Sequence of the newest of its events that the log let go, or of a later gap; a resume from before it can't be exact. */
  evictedThrough: number;
  readonly subscribers = new SubscriptionList();
  /** Subscribed patterns that match the name, as far as was looked. Kept by the pattern book. */
  readonly patterns: PatternGroup[] = [];
  /** The newest pattern that the name was matched against, by its serial number. Kept by the pattern book. */
  matchedThrough = 0;
  state: TopicState | null = null;

  constructor(name: string, evictedThrough: number) {
    this.name = name;
    this.evictedThrough = evictedThrough;
  }

  get isNeeded(): boolean {
    return this.last !== null || this.subscribers.size > 0 || this.state !== null;
  }

  append(event: HubEvent): ChainNode {
    const node = new ChainNode(event, this);
    node.previous = this.last;
    if (this.last === null) this.first = node;
    else this.last.next = node;
    this.last = node;
    return node;
  }

  /** The log lets go in order, so what leaves is always the chain's first. */
  evictFirst(): void {
    const node = this.first as ChainNode;
    this.first = node.next;
    if (this.first === null) this.last = null;
    else this.first.previous = null;
    this.evictedThrough = Math.max(this.evictedThrough, node.event.sequence);
    // A reader may still stand on the node: unlinked, it keeps nothing else alive.
    node.evicted = true;
    node.next = null;
    node.sibling = null;
  }

  /** The oldest held event after `sequence`: found from the newest backwards, so it costs what is to be read. */
  firstAfter(sequence: number): ChainNode | null {
    let node = this.last;
    if (node === null || node.event.sequence <= sequence) return null;
    while (node.previous !== null && node.previous.event.sequence > sequence) node = node.previous;
    return node;
  }
}

/** All subscriptions of one pattern: it is matched against a topic's name once, however many subscribe. */
export class PatternGroup {
  readonly matcher: TopicMatcher;
  /** Higher than that of any that came before. */
  readonly serial: number;
  readonly subscribers = new SubscriptionList();
  /** Nobody subscribes to it any more; should somebody again, it is another. */
  isGone = false;

  constructor(matcher: TopicMatcher, serial: number) {
    this.matcher = matcher;
    this.serial = serial;
  }
}

/** Whom the hub hands events. It must not subscribe or unsubscribe while it is handed one. */
export interface EventSink {
  deliver(event: HubEvent, subscription: Subscription): void;
  /** Events of topics that it subscribes to are missing. It may unsubscribe meanwhile. */
  gap?(gap: Gap): void;
}

/** Events that should have come and did not, as one subscriber is told. */
export interface Gap {
  /** Its own place in the log: a cursor from here on is after it. */
  readonly sequence: number;
  /** The last sequence before it. */
  readonly after: number;
  /** Whether the topics' events are private. */
  readonly private: boolean;
  /** The topics, by the selectors that would have brought their events. */
  readonly parts: readonly GapPart[];
}

/** What one selector would have brought. All subscribers of the same topic or pattern are given the same object. */
export interface GapPart {
  readonly selector: TopicMatcher;
  readonly names: readonly string[];
}

/** One sink's interest in one topic or pattern. `close()` ends it; closing twice does nothing. */
export class Subscription implements Disposable {
  readonly sink: EventSink;
  readonly selector: TopicMatcher;
  #detach: ((subscription: Subscription) => void) | null;
  /** Place in its list, so that leaving does not search. Kept by the list. */
  index = -1;

  constructor(sink: EventSink, selector: TopicMatcher, detach: (subscription: Subscription) => void) {
    this.sink = sink;
    this.selector = selector;
    this.#detach = detach;
  }

  close(): void {
    const detach = this.#detach;
    this.#detach = null;
    detach?.(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** A topic that its feed has no room for. */
export class TopicRefused extends CodedError<"topic_refused"> {
  constructor(topic: string) {
    super("topic_refused", `there is no room for ${topic}: every link of its feed is full`);
  }
}

/** An array that is joined and left in constant time and walked without allocation. Order is not kept. */
class SubscriptionList {
  readonly #items: Subscription[] = [];

  get size(): number {
    return this.#items.length;
  }

  add(subscription: Subscription): void {
    subscription.index = this.#items.length;
    this.#items.push(subscription);
  }

  remove(subscription: Subscription): void {
    const last = this.#items.pop() as Subscription;
    if (last !== subscription) {
      this.#items[subscription.index] = last;
      last.index = subscription.index;
    }
    subscription.index = -1;
  }

  deliver(event: HubEvent): void {
    for (let index = 0; index < this.#items.length; index++) {
      const subscription = this.#items[index] as Subscription;
      subscription.sink.deliver(event, subscription);
    }
  }

  [Symbol.iterator](): IterableIterator<Subscription> {
    return this.#items[Symbol.iterator]();
  }
}
