import type { World } from "./world.ts";

/** How long what was published is remembered, in milliseconds: longer than any log of a run. */
const KEPT_MS = 3 * 3_600_000;

/** What entered the hub for one topic, or is known to be missing there. */
export interface Entry {
  readonly sequence: number;
  /** `begun`: nobody had asked for the topic before, so that what came meanwhile is not known. */
  readonly kind: "event" | "gap" | "begun";
  /** Of an event. */
  readonly data: string;
  readonly atMs: number;
}

/** What one life of the gateway published, written down where it enters: what subscribers get is held against it. */
export class Ledger {
  readonly epoch: string;
  readonly #world: World;
  readonly #topics = new Map<string, Entry[]>();

  constructor(world: World, epoch: string) {
    this.#world = world;
    this.epoch = epoch;
  }

  topics(): IterableIterator<string> {
    return this.#topics.keys();
  }

  note(sequence: number, topic: string, kind: Entry["kind"], data = ""): void {
    const atMs = this.#world.nowMs;
    let entries = this.#topics.get(topic);
    if (entries === undefined) {
      entries = [];
      this.#topics.set(topic, entries);
    }
    entries.push({ sequence, kind, data, atMs });
    if (entries.length % 512 === 0) {
      const kept = entries.findIndex((entry) => entry.atMs > atMs - KEPT_MS);
      if (kept > 0) entries.splice(0, kept);
    }
  }

  /** The topic's first entry after a sequence. */
  next(topic: string, after: number): Entry | undefined {
    const entries = this.#topics.get(topic);
    if (entries === undefined) return undefined;
    let [low, high] = [0, entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((entries[middle] as Entry).sequence <= after) low = middle + 1;
      else high = middle;
    }
    return entries[low];
  }

  /** The topic's newest event with such data. */
  eventWith(topic: string, fits: (data: string) => boolean): Entry | undefined {
    return this.#topics.get(topic)?.findLast(({ kind, data }) => kind === "event" && fits(data));
  }

  /** The topic's newest event up to a sequence. */
  lastEvent(topic: string, through: number): Entry | undefined {
    return this.#topics.get(topic)?.findLast(({ kind, sequence }) => kind === "event" && sequence <= through);
  }
}
