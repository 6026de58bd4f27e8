/**
 * What each subscriber got of each stream (one publisher's events of one topic), against what it should have: every number
 * once, in order. Pure. Places are numbered by whoever keeps the ledger: one for each stream that a subscriber follows.
 */
export class Ledger {
  readonly #next: Uint32Array;
  /** Numbers skipped and not yet come, by place; only for places that skipped any. */
  readonly #holes = new Map<number, Set<number>>();
  readonly counts: LedgerCounts = { delivered: 0, doubles: 0, disorder: 0, gapsTold: 0, lostUnnamed: 0 };

  constructor(places: number) {
    this.#next = new Uint32Array(places).fill(1);
  }

  /** An event came. */
  take(place: number, sequence: number): void {
    const expected = this.#next[place] as number;
    this.counts.delivered++;
    if (sequence === expected || expected === ANY) this.#next[place] = sequence + 1;
    else if (sequence > expected) {
      this.#skip(place, expected, sequence);
      this.#next[place] = sequence + 1;
    } else if (this.#holes.get(place)?.delete(sequence) === true) this.counts.disorder++;
    else this.counts.doubles++;
  }

  /** What comes next is where the place begins: for a subscriber that joins a stream under way. */
  joinAnywhere(place: number): void {
    this.#next[place] = ANY;
  }

  /** The server said that it can't give everything at some places: what is missing from here on is told, not lost. */
  gapTold(places: Iterable<number>): void {
    this.counts.gapsTold++;
    for (const place of places) this.joinAnywhere(place);
  }

  /** Whether the place has come as far as the stream's last number, whatever it skipped. */
  hasReached(place: number, last: number): boolean {
    const next = this.#next[place] as number;
    return next === ANY || next > last;
  }

  /**
   * How many of a stream's events are missing at a place, the tail included, once nothing more will come.
   *
   * @param last the last number that was published
   * @param refused numbers that the server did not take, which nobody can miss
   */
  missing(place: number, last: number, refused: ReadonlySet<number>): number {
    let missing = 0;
    for (const sequence of this.#holes.get(place) ?? []) if (!refused.has(sequence)) missing++;
    const next = this.#next[place] as number;
    if (next === ANY) return missing;
    for (let sequence = next; sequence <= last; sequence++) if (!refused.has(sequence)) missing++;
    return missing;
  }

  #skip(place: number, from: number, to: number): void {
    const holes = this.#holes.get(place) ?? new Set<number>();
    this.#holes.set(place, holes);
    for (let sequence = from; sequence < to; sequence++) {
      if (holes.size < HOLES_MAX) holes.add(sequence);
      else {
        // A ledger of so many losses has said what it has to say; the rest is a number.
        this.counts.lostUnnamed += to - sequence;
        return;
      }
    }
  }
}

export interface LedgerCounts {
  delivered: number;
  doubles: number;
  /** Events that came after one that was published later. */
  disorder: number;
  /** How often the server said that events are missing, in its protocol's words. */
  gapsTold: number;
  /** Losses beyond those that are kept by number. */
  lostUnnamed: number;
}

/** Sequence numbers count from 1. */
const ANY = 0;
const HOLES_MAX = 10_000;
