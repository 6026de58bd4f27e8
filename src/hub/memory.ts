import type { Publication } from "#protocol/event.ts";
import type { GapMemory } from "./gap-book.ts";
import { HubEvent } from "./hub-event.ts";
import type { Log } from "./log.ts";
import type { Topic } from "./topic.ts";
import type { Json } from "./topic-state.ts";

/**
 * What outlives a hub, in plain values: with its events and this a hub of the next life can vouch for every resume that
 * the old one could have vouched for.
 */
export interface HubMemory {
  /** The last sequence number that was given away. */
  readonly head: number;
  /** Sequence of the newest event that the log let go of; 0 for none. */
  readonly evictedThrough: number;
  /** Events of topics that are not known any more can't be vouched for up to here. */
  readonly forgottenThrough: number;
  /** Each known topic with the sequence up to which its events can't be vouched for. */
  readonly topics: readonly (readonly [name: string, evictedThrough: number])[];
  readonly gaps: GapMemory;
}

export interface RememberedEvent {
  readonly sequence: number;
  /** When the hub took it, in milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly publication: Publication;
}

export interface RememberedState {
  readonly topic: string;
  /** Of the event that it is current at. */
  readonly sequence: number;
  readonly timeMs: number;
  readonly type: string;
  readonly private: boolean;
  /** The last event's data, or the merged value. */
  readonly value: { readonly data: string } | { readonly merged: Json };
}

export function memoryOf(
  { head, evictedThrough }: Log,
  topics: Iterable<Topic>,
  forgottenThrough: number,
  gaps: GapMemory,
): HubMemory {
  const known = Array.from(topics, ({ name, evictedThrough }) => [name, evictedThrough] as const);
  return { head, evictedThrough, forgottenThrough, topics: known, gaps };
}

/** Topics as `topicOf` makes them, each with what the memory knows of it. */
export function rememberedTopics(
  memory: HubMemory,
  topicOf: (name: string) => Topic,
): (name: string) => Topic {
  const evicted = new Map(memory.topics);
  return (name) => {
    const topic = topicOf(name);
    topic.evictedThrough = evicted.get(name) ?? memory.forgottenThrough;
    return topic;
  };
}

/** Fills an empty log; answers each event that it took. */
export function* recall(
  log: Log,
  memory: HubMemory,
  events: Iterable<RememberedEvent>,
  topicOf: (name: string) => Topic,
): IterableIterator<HubEvent> {
  log.beginAfter(memory.evictedThrough);
  for (const { sequence, timeMs, publication } of events) {
    if (sequence <= log.head || sequence > memory.head) continue;
    log.skipTo(sequence - 1);
    const event = new HubEvent(sequence, timeMs, publication, log);
    log.append(event, [...new Set(publication.topics)].map(topicOf));
    yield event;
  }
  log.skipTo(memory.head);
}
