import type { World } from "./world.ts";

/** How long what was published is remembered, in milliseconds: longer than any log of a run. */
const KEPT_MS = 3 * 3_600_000;

/** What is too old is let go of whenever so many more have come. */
const TRIMMED_EVERY = 512;

/** So many of the newest entries are looked at one by one before the others are searched. */
const NEWEST = 4;

/** What entered the hub for one topic, or is known to be missing there. */
export interface Entry {
  readonly sequence: number;
  readonly topic: string;
  /** `begun`: nobody had asked for the topic before, so that what came meanwhile is not known. */
  readonly kind: "event" | "gap" | "begun";
  /** Of an event. */
  readonly data: string;
  readonly atMs: number;
}

/** Entries by their sequence, the oldest first: of one topic, or of all. */
export class Entries {
  readonly #entries: Entry[] = [];
  #untrimmed = 0;

  add(entry: Entry): void {
    const entries = this.#entries;
    let at = entries.length;
    // Nearly always it is the newest: a gap is noted after those who were told have left, which may be an event.
    while (at > 0 && (entries[at - 1] as Entry).sequence > entry.sequence) at--;
    if (at === entries.length) entries.push(entry);
    else entries.splice(at, 0, entry);
    if (++this.#untrimmed < TRIMMED_EVERY) return;
    this.#untrimmed = 0;
    const kept = entries.findIndex(({ atMs }) => atMs > entry.atMs - KEPT_MS);
    if (kept > 0) entries.splice(0, kept);
  }

  /** The first one after a sequence. */
  next(after: number): Entry | undefined {
    return this.#entries[this.#indexAfter(after)];
  }

  /** Those after a sequence, up to another one. */
  between(after: number, through: number): readonly Entry[] {
    const from = this.#indexAfter(after);
    const first = this.#entries[from];
    if (first === undefined || first.sequence > through) return NONE;
    return this.#entries.slice(from, this.#indexAfter(through));
  }

  /** The newest one that fits. */
  last(fits: (entry: Entry) => boolean): Entry | undefined {
    return this.#entries.findLast(fits);
  }

  #indexAfter(sequence: number): number {
    const entries = this.#entries;
    let [low, high] = [0, entries.length];
    for (const newest = Math.max(0, high - NEWEST); high > newest; high--) {
      if ((entries[high - 1] as Entry).sequence <= sequence) return high;
    }
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((entries[middle] as Entry).sequence <= sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const NONE: readonly Entry[] = [];

/** What one life of the gateway published, written down where it enters: what subscribers get is held against it. */
export class Ledger {
  readonly epoch: string;
  /** Of all topics. */
  readonly all = new Entries();
  readonly #world: World;
  readonly #topics = new Map<string, Entries>();

  constructor(world: World, epoch: string) {
    this.#world = world;
    this.epoch = epoch;
  }

  note(sequence: number, topic: string, kind: Entry["kind"], data = ""): void {
    const entry = { sequence, topic, kind, data, atMs: this.#world.nowMs };
    this.all.add(entry);
    this.of(topic).add(entry);
  }

  /** What has been noted of a topic, and will be. */
  of(topic: string): Entries {
    let entries = this.#topics.get(topic);
    if (entries === undefined) {
      entries = new Entries();
      this.#topics.set(topic, entries);
    }
    return entries;
  }

  /** The topic's newest event with such data. */
  eventWith(topic: string, fits: (data: string) => boolean): Entry | undefined {
    return this.of(topic).last(({ kind, data }) => kind === "event" && fits(data));
  }

  /** The topic's newest event up to a sequence. */
  lastEvent(topic: string, through: number): Entry | undefined {
    return this.of(topic).last(({ kind, sequence }) => kind === "event" && sequence <= through);
  }
}
