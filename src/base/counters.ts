/**
 * Counts by label values, as plain numbers: counting costs a map lookup and allocates nothing once a key exists.
 * Metrics read them when they are asked. Keys come from closed lists, never from a client.
 */
export class Tally<Key extends string = string> {
  readonly #counts: Map<Key, number>;
  #total = 0;

  /** @param known keys that are there at zero from the start, so that whoever watches a count sees its first rise */
  constructor(known: readonly Key[] = []) {
    this.#counts = new Map(known.map((key) => [key, 0]));
  }

  add(key: Key, by = 1): void {
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + by);
    this.#total += by;
  }

  of(key: Key): number {
    return this.#counts.get(key) ?? 0;
  }

  get total(): number {
    return this.#total;
  }

  entries(): IterableIterator<[Key, number]> {
    return this.#counts.entries();
  }
}

/** A histogram of fixed buckets: observing is a short search and two additions. */
export class Histogram {
  /** Upper bounds, ascending, `+Inf` left out. */
  readonly bounds: readonly number[];
  /** Observations per bucket, not cumulative; the last one counts what exceeds every bound. */
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number, times = 1): void {
    let bucket = 0;
    while (bucket < this.bounds.length && value > (this.bounds[bucket] as number)) bucket++;
    this.counts[bucket] = (this.counts[bucket] as number) + times;
    this.sum += value * times;
    this.count += times;
  }
}
