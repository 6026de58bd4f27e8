/**
 * Room `hub`: the log, topics, subscribers. It gives every event one hub-wide sequence number, keeps it for those who
 * come back, and hands it to whoever subscribes. Pure: no socket, no timer; time comes in as an argument. It may use
 * `base` and `protocol`; it knows no transport and no feed.
 */
import type { Publication } from "#protocol/event.ts";
import type { TopicMatcher } from "#protocol/topic-matcher.ts";
import { GapBook } from "./gap-book.ts";
import { GapRound } from "./gap-round.ts";
import { HubEvent } from "./hub-event.ts";
import { type FollowedLog, Log } from "./log.ts";
import { ChainReader, type LogReader, readHistory, ScanReader } from "./log-reader.ts";
import {
  type HubMemory,
  memoryOf,
  type RememberedEvent,
  type RememberedState,
  recall,
  rememberedTopics,
} from "./memory.ts";
import { PatternBook } from "./pattern-book.ts";
import type { Demand, HistoryQuery, HubOptions, HubStats } from "./ports.ts";
import { StateStore } from "./state-store.ts";
import { type EventSink, type PatternGroup, Subscription, Topic, TopicRefused } from "./topic.ts";

export type { HubEvent } from "./hub-event.ts";
export type { FollowedLog } from "./log.ts";
export type { LogReader } from "./log-reader.ts";
export type { HubMemory, RememberedEvent, RememberedState } from "./memory.ts";
export type { Demand, DemandVerdict } from "./ports.ts";
export type { EventSink, Gap, GapPart, Subscription } from "./topic.ts";
export { TopicRefused } from "./topic.ts";

/** What a subscription costs, its topic included. Measured roughly, rounded up. */
const SUBSCRIPTION_BYTES = 1024;

export class Hub {
  readonly #log: Log;
  readonly #states: StateStore;
  readonly #topics = new Map<string, Topic>();
  readonly #patterns = new PatternBook(() => this.#topics.values());
  /** Publishers' own ids of held events; of equal ids the earliest counts (Mercure, "Reconciliation"). */
  readonly #ids = new Map<string, HubEvent>();
  readonly #nowMs: () => number;
  readonly #demand: Demand | null;
  /** A forgotten topic's events can't be vouched for up to here. */
  #forgottenThrough = 0;
  readonly #gaps = new GapBook();
  /** Told of memory that was taken, in bytes, roughly. */
  #onTaken: ((bytes: number) => void) | null = null;
  #subscribers = 0;
  #publishing = false;

  constructor(options: HubOptions) {
    const forget = (topic: Topic) => this.#forgetUnneeded(topic);
    this.#log = new Log(options.epoch, options.log, {
      topic: forget,
      event: (event) => this.#forgetId(event),
    });
    this.#states = new StateStore(options.epoch, options.stateBytesMax, forget);
    this.#nowMs = options.nowMs;
    this.#demand = options.demand ?? null;
  }

  get epoch(): string {
    return this.#log.epoch;
  }

  /** Sequence of the newest event; 0 before the first. */
  get head(): number {
    return this.#log.head;
  }

  /** Has somebody told of the memory that events and subscriptions take, as they take it. It must not use the hub. */
  meter(onTaken: ((bytes: number) => void) | null): void {
    this.#onTaken = onTaken;
  }

  /** Sequence of the newest event that the log let go of; 0 when it still holds all. */
  get evictedThrough(): number {
    return this.#log.evictedThrough;
  }

  /** Numbers the event, keeps it, and hands it to every subscriber, all within this call. */
  publish(publication: Publication): HubEvent {
    const nowMs = this.#nowMs();
    const event = new HubEvent(this.#log.head + 1, nowMs, publication, this.#log);
    const topics =
      publication.topics.length === 1
        ? [this.#topicOf(publication.topics[0])]
        : this.#topicsOf(publication.topics);
    this.#log.append(event, topics);
    if (event.id !== null && !this.#ids.has(event.id)) this.#ids.set(event.id, event);
    const state = publication.state ?? "none";
    if (state !== "none") this.#states.change(topics[0] as Topic, event, state);
    this.#deliver(event, topics);
    this.#log.evict(nowMs);
    this.#onTaken?.(event.bytes);
    return event;
  }

  /** Whether these patterns can be subscribed to as well: there are not too many that are costly to match. */
  hasRoomFor(selectors: readonly TopicMatcher[]): boolean {
    return this.#patterns.hasRoomFor(selectors);
  }

  /**
   * Attaches a sink for live events from the next `publish` on. What is older it reads by `openReader`.
   *
   * @throws TopicRefused when the topic's events can't be had; nothing is left behind then
   */
  subscribe(sink: EventSink, selector: TopicMatcher): Subscription {
    this.#assertQuiet();
    if (selector.type === "exact") this.#demandTopic(selector.pattern);
    const subscription = new Subscription(sink, selector, (ended) => this.#detach(ended));
    this.#subscribers++;
    const holder =
      selector.type === "exact" ? this.#topicOf(selector.pattern) : this.#patterns.groupOf(selector);
    holder.subscribers.add(subscription);
    this.#onTaken?.(SUBSCRIPTION_BYTES);
    return subscription;
  }

  /**
   * A reader of what came after a sequence number, for a sink that is subscribed to the same selectors.
   *
   * @returns null when the log can't vouch for having every event since: the resume would not be exact
   */
  openReader(selectors: readonly TopicMatcher[], afterSequence: number): LogReader | null {
    if (afterSequence > this.#log.head || afterSequence < 0) return null;
    if (this.#exactlyKnownAfter(selectors) > afterSequence) return null;
    if (selectors.some((selector) => selector.type !== "exact")) {
      if (this.readableAfter(selectors) > afterSequence) return null;
      return new ScanReader(this.#log, this.#gaps, selectors, afterSequence);
    }
    const topics = selectors.flatMap(({ pattern }) => this.#topics.get(pattern) ?? []);
    return new ChainReader(this.#log, topics, afterSequence);
  }

  /** The earliest sequence after which `openReader` reads all that is held of these without a gap between. */
  readableAfter(selectors: readonly TopicMatcher[]): number {
    const evicted = Math.max(this.#log.evictedThrough, this.#exactlyKnownAfter(selectors));
    return Math.max(evicted, this.#gaps.newestOn(selectors));
  }

  /**
   * Events of these topics that should have come did not: a resume from before can't be exact any more, and whoever
   * subscribes to them is told, once. States are kept.
   *
   * @param isPrivate whether the topics' events are, so that nobody learns their names who may not have them
   */
  markGap(names: readonly string[], isPrivate: boolean): void {
    this.#assertQuiet();
    const after = this.#log.head;
    const sequence = this.#log.skip();
    this.#gaps.note(sequence, names);
    const round = new GapRound();
    for (const name of names) {
      const topic = this.#topicOf(name);
      topic.evictedThrough = sequence;
      round.add(topic, this.#patterns.of(topic));
      this.#forgetUnneeded(topic);
    }
    round.tell({ sequence, after, private: isPrivate });
  }

  /** A topic's state as an event whose sequence is the one that it is current at; null without one. */
  stateOf(topic: string): HubEvent | null {
    const known = this.#topics.get(topic);
    return known === undefined ? null : this.#states.eventOf(known);
  }

  /** Forgets a topic's state, for example because its feed no longer keeps it up to date. */
  dropState(topic: string): void {
    const known = this.#topics.get(topic);
    if (known !== undefined) this.#states.drop(known);
  }

  /** The sequence of the held event that its publisher gave this id, or null. */
  sequenceOfId(id: string): number | null {
    return this.#ids.get(id)?.sequence ?? null;
  }

  /** Held events of one topic. */
  history(name: string, query: HistoryQuery): HubEvent[] {
    const topic = this.#topics.get(name);
    return topic === undefined ? [] : readHistory(topic, query);
  }

  /** The exact subscribers of a topic. */
  subscribersOf(name: string): Iterable<Subscription> {
    return this.#topics.get(name)?.subscribers ?? [];
  }

  /** Every topic that is known, and whether it has an exact subscriber. */
  *topicNames(): IterableIterator<{ readonly name: string; readonly isWanted: boolean }> {
    for (const { name, subscribers } of this.#topics.values()) yield { name, isWanted: subscribers.size > 0 };
  }

  /** Lets go of what has grown too old. `publish` does so too; this is for quiet times. */
  evict(): void {
    this.#log.evict(this.#nowMs());
    this.#gaps.forgetThrough(this.#log.evictedThrough);
  }

  /** While memory is short: the log and the states hold only this share of what they hold. 1 gives all back. */
  squeeze(share: number): void {
    this.#log.squeeze(share);
    this.#states.squeeze(share);
    this.evict();
  }

  /** The log for whoever keeps a copy. `advanced` is called with each number given away, before anybody gets the event. */
  follow(advanced: () => void): FollowedLog {
    this.#log.advanced = advanced;
    return this.#log;
  }

  /** What a hub of the next life needs to know, beside the events, to vouch for what this one vouches for. */
  memory(): HubMemory {
    return memoryOf(this.#log, this.#topics.values(), this.#forgottenThrough, this.#gaps.memory());
  }

  /** Those changed longest ago first. */
  states(): IterableIterator<RememberedState> {
    return this.#states.remembered();
  }

  /**
   * Takes over what a hub of the life before had, before anybody uses this one.
   *
   * @param events in order; those that the memory knows to be let go are left out
   * @throws Error when the hub was used already
   */
  restore(
    memory: HubMemory,
    events: Iterable<RememberedEvent>,
    states: Iterable<RememberedState> = [],
  ): void {
    if (this.#log.head > 0) throw new Error("a hub that is in use can't be restored");
    this.#forgottenThrough = memory.forgottenThrough;
    const topicOf = rememberedTopics(memory, (name) => this.#topicOf(name));
    for (const event of recall(this.#log, memory, events, topicOf))
      if (event.id !== null && !this.#ids.has(event.id)) this.#ids.set(event.id, event);
    for (const state of states) this.#states.recall(topicOf(state.topic), state);
    for (const [name, through] of memory.topics)
      if (!this.#topics.has(name)) this.#forgottenThrough = Math.max(this.#forgottenThrough, through);
    this.#gaps.restore(memory.gaps);
    this.evict();
  }

  /** From now on no resume from before is exact, by pattern, or of topics that are not known, or of any. Events stay. */
  distrust(which: "unknown" | "all" = "all"): void {
    const sequence = this.#log.skip();
    this.#forgottenThrough = sequence;
    if (which === "all") for (const topic of this.#topics.values()) topic.evictedThrough = sequence;
    this.#gaps.distrustThrough(sequence);
  }

  /** Every topic that is known, for the sweep; topics may come and go meanwhile. */
  topics(): IterableIterator<Topic> {
    return this.#topics.values();
  }

  /** Every pattern that somebody subscribes to, for the sweep. */
  patterns(): IterableIterator<PatternGroup> {
    return this.#patterns[Symbol.iterator]();
  }

  /** Forgets a topic that nothing needs. The hub does so by itself; this is for the sweep, which found one. */
  reclaimTopic(topic: Topic): void {
    this.#forgetUnneeded(topic);
  }

  /** The same for a pattern without subscribers. */
  reclaimPattern(group: PatternGroup): void {
    if (group.subscribers.size === 0) this.#patterns.forget(group);
  }

  /** Subscribers by their lists, which should be as many as were counted. */
  countSubscribers(): { readonly listed: number; readonly counted: number } {
    let listed = 0;
    for (const topic of this.#topics.values()) listed += topic.subscribers.size;
    for (const group of this.#patterns) listed += group.subscribers.size;
    return { listed, counted: this.#subscribers };
  }

  /** Takes the lists' word for the number of subscribers. */
  recountSubscribers(): void {
    this.#subscribers = this.countSubscribers().listed;
  }

  stats(): HubStats {
    return {
      topics: this.#topics.size,
      topicsWithState: this.#states.size,
      subscribers: this.#subscribers,
      patterns: this.#patterns.size,
      logEvents: this.#log.length,
      logBytes: this.#log.bytes,
      stateBytes: this.#states.bytes,
      head: this.#log.head,
    };
  }

  #deliver(event: HubEvent, topics: readonly Topic[]): void {
    this.#publishing = true;
    try {
      for (const topic of topics) topic.subscribers.deliver(event);
      if (this.#patterns.size === 0) return;
      if (topics.length === 1) {
        for (const group of this.#patterns.of(topics[0] as Topic)) group.subscribers.deliver(event);
      } else {
        for (const group of new Set(topics.flatMap((topic) => this.#patterns.of(topic))))
          group.subscribers.deliver(event);
      }
    } finally {
      this.#publishing = false;
    }
  }

  /** From where on nothing is missing of the topics that are named: also of those that nobody had asked for in between. */
  #exactlyKnownAfter(selectors: readonly TopicMatcher[]): number {
    const exact = selectors.filter(({ type }) => type === "exact");
    const known = ({ pattern }: TopicMatcher) => this.#topics.get(pattern)?.evictedThrough;
    return exact.reduce((after, each) => Math.max(after, known(each) ?? this.#forgottenThrough), 0);
  }

  /** Before a topic's first exact subscriber comes. */
  #demandTopic(name: string): void {
    if (this.#demand === null || (this.#topics.get(name)?.subscribers.size ?? 0) > 0) return;
    const verdict = this.#demand.wanted(name);
    if (verdict === "full") throw new TopicRefused(name);
    // A cursor from before knows nothing of what came while nobody asked for the topic.
    if (verdict === "begun") this.#topicOf(name).evictedThrough = this.#log.skip();
  }

  #detach(subscription: Subscription): void {
    this.#assertQuiet();
    this.#subscribers--;
    const { selector } = subscription;
    if (selector.type === "exact") {
      const topic = this.#topics.get(selector.pattern) as Topic;
      topic.subscribers.remove(subscription);
      if (topic.subscribers.size > 0) return;
      this.#demand?.unwanted(topic.name);
      this.#forgetUnneeded(topic);
      return;
    }
    const group = this.#patterns.get(selector) as PatternGroup;
    group.subscribers.remove(subscription);
    if (group.subscribers.size === 0) this.#patterns.forget(group);
  }

  #topicOf(name: string): Topic {
    let topic = this.#topics.get(name);
    if (topic === undefined) {
      topic = new Topic(name, this.#forgottenThrough);
      this.#topics.set(name, topic);
    }
    return topic;
  }

  #topicsOf(names: readonly string[]): Topic[] {
    return [...new Set(names)].map((name) => this.#topicOf(name));
  }

  #forgetUnneeded(topic: Topic): void {
    if (topic.isNeeded || this.#topics.get(topic.name) !== topic) return;
    this.#topics.delete(topic.name);
    this.#forgottenThrough = Math.max(this.#forgottenThrough, topic.evictedThrough);
  }

  #forgetId(event: HubEvent): void {
    if (event.id !== null && this.#ids.get(event.id) === event) this.#ids.delete(event.id);
  }

  /** A sink that came or went while an event is handed round would make others miss it or get it twice. */
  #assertQuiet(): void {
    if (this.#publishing)
      throw new Error("a sink subscribed or unsubscribed while the hub was delivering an event");
  }
}
