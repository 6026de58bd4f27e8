import type { Entries, Entry, Ledger } from "./ledger.ts";
import type { World } from "./world.ts";

/** What one subscriber should get of some topics, from a place in a life's log on: checks what it gets against the ledger. */
export class Reading {
  readonly ledger: Ledger;
  readonly #world: World;
  readonly #who: string;
  /** Every topic, by a pattern, so that feeds are asked for none. */
  readonly #isOfAll: boolean;
  /** What it is held against. */
  readonly #books: readonly Entries[];
  #after: number;
  /** What topics' states have told already: events up to there need not come. */
  readonly #covered = new Map<string, number>();
  /** Topics of which a client that did not read may get the newest alone. */
  readonly #mayThin: (topic: string) => boolean;
  #knowsOfBreaks = false;

  /** @param topics null: all of them, by a pattern */
  constructor(
    world: World,
    who: string,
    ledger: Ledger,
    topics: readonly string[] | null,
    after: number,
    mayThin: (topic: string) => boolean,
  ) {
    this.#world = world;
    this.#who = who;
    this.ledger = ledger;
    this.#isOfAll = topics === null;
    this.#books = topics === null ? [ledger.all] : topics.map((topic) => ledger.of(topic));
    this.#after = after;
    this.#mayThin = mayThin;
  }

  /** Where it stands: everything up to there has come. */
  get after(): number {
    return this.#after;
  }

  /** It was told that events are missing, so that it need not be told of what nobody had asked for. */
  knowsOfBreaks(): void {
    this.#knowsOfBreaks = true;
  }

  /**
   * A state was sent before anything else: it must be what one of the topic's events says, and the newest one's where
   * nothing is repeated after it.
   */
  state(topic: string, data: string, isNewest: boolean): void {
    const entry = this.ledger.eventWith(topic, (text) => countIn(text) === countIn(data));
    const newest = isNewest ? this.ledger.lastEvent(topic, this.#after) : entry;
    if (entry === undefined || entry !== newest) {
      this.#breaks(
        "forged",
        `a state of ${topic} is ${countIn(data)}; its event is ${countIn(newest?.data ?? "")}`,
      );
    } else {
      this.#covered.set(topic, entry.sequence);
    }
  }

  event(topic: string, sequence: number, data: string): void {
    const entry = this.ledger.of(topic).next(sequence - 1);
    if (entry?.sequence !== sequence || entry.kind !== "event") {
      this.#breaks("forged", `${topic} ${sequence} was never published`);
    } else if (sequence <= this.#after) {
      const isOrder = this.ledger.lastEvent(topic, this.#after) !== entry;
      this.#breaks(isOrder ? "order" : "doubled", `${topic} ${sequence} came after ${this.#after}`);
    } else if (entry.data !== data && !(this.#mayThin(topic) && countIn(entry.data) === countIn(data))) {
      this.#breaks("forged", `${topic} ${sequence} came as ${data.slice(0, 80)}`);
    }
    this.through(sequence - 1);
    this.#after = sequence;
  }

  /** It was told that events are missing, at this sequence. */
  gap(sequence: number): void {
    this.through(sequence - 1);
    this.#after = Math.max(this.#after, sequence);
  }

  /** It was told that it has everything up to here. */
  through(sequence: number): void {
    if (sequence <= this.#after) return;
    for (const book of this.#books) {
      for (const entry of book.between(this.#after, sequence)) {
        if (!this.#isOwed(entry)) continue;
        const what = entry.kind === "event" ? "lost" : "gap";
        const { kind, topic } = entry;
        this.#breaks(what, `${topic} ${entry.sequence} (${kind}) did not come before ${sequence}`);
      }
    }
    this.#after = sequence;
  }

  /** The topic whose next entry should have come by now; null: none. */
  overdue(beforeMs: number): string | null {
    for (const book of this.#books) {
      let entry = book.next(this.#after);
      while (entry !== undefined && entry.atMs < beforeMs && !this.#isOwed(entry))
        entry = book.next(entry.sequence);
      if (entry !== undefined && entry.atMs < beforeMs)
        return `${entry.topic} ${entry.sequence} (${entry.kind})`;
    }
    return null;
  }

  #isOwed(entry: Entry): boolean {
    const { topic } = entry;
    if (entry.sequence <= (this.#covered.get(topic) ?? 0)) return false;
    // Patterns ask no feed for anything, so they are promised nothing of what nobody asked for.
    if (entry.kind === "begun") return !this.#isOfAll && !this.#knowsOfBreaks;
    return entry.kind === "gap" || !this.#mayThin(topic);
  }

  #breaks(promise: "lost" | "doubled" | "order" | "forged" | "gap", detail: string): void {
    this.#world.breaks(promise, `${this.#who}: ${detail}`);
  }
}

/** Of which event of its key the data is; NaN for what no feed sent. */
export function countIn(data: string): number {
  return Number(/"n":(\d+)/.exec(data)?.[1]);
}

/** Every simulated event says which topic it is of, and so does what the hub tells of itself. */
export function topicIn(data: string): string {
  return /"(?:topic|id)":"([^"]+)"/.exec(data)?.[1] ?? "";
}
