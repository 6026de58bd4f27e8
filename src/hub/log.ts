import type { HubEvent, Ledger } from "./hub-event.ts";
import { SqueezedBound } from "./squeezed-bound.ts";
import type { ChainNode, Topic } from "./topic.ts";

export interface LogBounds {
  /** Most bytes held, encoded frames included. */
  readonly bytesMax: number;
  /** Oldest event held, in milliseconds. */
  readonly ageMaxMs: number;
}

/** What somebody sees who keeps a copy of the log. */
export interface FollowedLog {
  readonly head: number;
  readonly evictedThrough: number;
  /** Null: not held, or no event. */
  eventAt(sequence: number): HubEvent | null;
}

const CAPACITY_MIN = 1024;

/**
 * The hub's ordered memory of events: a ring by sequence number, bounded by bytes and age, with a chain through it
 * for each topic, so that replaying one topic does not read the others.
 */
export class Log implements Ledger, FollowedLog {
  readonly epoch: string;
  readonly #bounds: LogBounds;
  readonly #released: { topic(topic: Topic): void; event(event: HubEvent): void };
  /** Canonical nodes by `sequence % capacity`; capacity is a power of two. */
  #ring = new Array<ChainNode | undefined>(CAPACITY_MIN);
  readonly #bound = new SqueezedBound();
  #first = 1;
  #head = 0;
  #evictedThrough = 0;
  bytes = 0;
  /** Called with each sequence number that is given away; null: nobody cares. */
  advanced: (() => void) | null = null;

  /** @param released told of each event let go, and of each topic that lost its last held event */
  constructor(
    epoch: string,
    bounds: LogBounds,
    released: { topic(topic: Topic): void; event(event: HubEvent): void },
  ) {
    this.epoch = epoch;
    this.#bounds = bounds;
    this.#released = released;
  }

  /** Sequence of the newest event; 0 before the first. */
  get head(): number {
    return this.#head;
  }

  /** Sequence numbers held, of which nearly all are events'. */
  get length(): number {
    return this.#head - this.#first + 1;
  }

  /** Sequence of the newest event that was let go; 0 when all are held. */
  get evictedThrough(): number {
    return this.#evictedThrough;
  }

  /** Gives away the next sequence number without an event: what is before it can be told from what is after it. */
  skip(): number {
    if (this.length === this.#ring.length) this.#grow();
    this.#head++;
    this.#ring[this.#head & (this.#ring.length - 1)] = undefined;
    this.advanced?.();
    return this.#head;
  }

  /** Begins after a sequence number that was given away in the life before. The log is empty. */
  beginAfter(sequence: number): void {
    this.#evictedThrough = sequence;
    this.#head = sequence;
    this.#first = sequence + 1;
  }

  /** Gives away every number through this one. */
  skipTo(sequence: number): void {
    if (this.length === 0 && sequence > this.#head) {
      // Nothing is held, so that there is no need to hold numbers without events either.
      this.#head = sequence;
      this.#first = sequence + 1;
    }
    while (this.#head < sequence) this.skip();
  }

  /** Takes the event whose sequence is `head + 1`. */
  append(event: HubEvent, topics: readonly Topic[]): void {
    if (this.length === this.#ring.length) this.#grow();
    let canonical: ChainNode | undefined;
    let previous: ChainNode | undefined;
    for (const topic of topics) {
      const node = topic.append(event);
      canonical ??= node;
      if (previous !== undefined) previous.sibling = node;
      previous = node;
    }
    this.#head = event.sequence;
    this.#ring[event.sequence & (this.#ring.length - 1)] = canonical;
    event.hold();
    this.advanced?.();
  }

  eventAt(sequence: number): HubEvent | null {
    return this.at(sequence)?.event ?? null;
  }

  /** The canonical node of a sequence number, or null when it is not held. */
  at(sequence: number): ChainNode | null {
    if (sequence < this.#first || sequence > this.#head) return null;
    return this.#ring[sequence & (this.#ring.length - 1)] ?? null;
  }

  /** Holds only this share of its bytes from now on; 1: all that its bound allows. Takes effect at the next `evict`. */
  squeeze(share: number): void {
    this.#bound.squeeze(share, this.bytes);
  }

  /** Lets go what exceeds the bounds, oldest first. */
  evict(nowMs: number): void {
    const bytesMax = this.#bound.of(this.#bounds.bytesMax);
    while (this.length > 0) {
      const node = this.at(this.#first);
      if (node === null) {
        this.#first++;
        continue;
      }
      if (this.bytes <= bytesMax && nowMs - node.event.timeMs <= this.#bounds.ageMaxMs) return;
      this.#evictFirst(node);
    }
  }

  #evictFirst(canonical: ChainNode): void {
    this.#ring[this.#first & (this.#ring.length - 1)] = undefined;
    this.#evictedThrough = this.#first;
    this.#first++;
    canonical.event.release();
    this.#released.event(canonical.event);
    let node: ChainNode | null = canonical;
    while (node !== null) {
      const { sibling, topic }: ChainNode = node;
      topic.evictFirst();
      if (topic.last === null) this.#released.topic(topic);
      node = sibling;
    }
  }

  #grow(): void {
    const grown = new Array<ChainNode | undefined>(this.#ring.length * 2);
    for (let sequence = this.#first; sequence <= this.#head; sequence++) {
      grown[sequence & (grown.length - 1)] = this.#ring[sequence & (this.#ring.length - 1)];
    }
    this.#ring = grown;
  }
}
