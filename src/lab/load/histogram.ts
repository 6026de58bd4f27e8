/**
 * A histogram of whole numbers whose buckets are linear within each power of two (as HdrHistogram's are): a percentile
 * is at most 1/128 above the exact one, whatever the numbers. Histograms of several processes are added bucket by bucket,
 * so that a merged percentile is a percentile, and not a mean of some.
 */
export class Histogram {
  readonly #counts = new Float64Array(BUCKETS);
  #count = 0;
  #sum = 0;
  #max = 0;

  /**
   * Takes a number from 0 to 2^32 - 1; what is smaller, larger or not whole is moved to the nearest that is.
   *
   * @param times how often it was seen
   */
  record(value: number, times = 1): void {
    const whole = value < 0 ? 0 : value > VALUE_MAX ? VALUE_MAX : Math.round(value);
    const bucket = bucketOf(whole);
    this.#counts[bucket] = (this.#counts[bucket] as number) + times;
    this.#count += times;
    this.#sum += whole * times;
    if (whole > this.#max) this.#max = whole;
  }

  add(state: HistogramState): void {
    for (let at = 0; at < state.buckets.length; at++) {
      const bucket = state.buckets[at] as number;
      this.#counts[bucket] = (this.#counts[bucket] as number) + (state.counts[at] as number);
    }
    this.#count += state.count;
    this.#sum += state.sum;
    this.#max = Math.max(this.#max, state.max);
  }

  get count(): number {
    return this.#count;
  }

  /** The largest number recorded, exactly; 0 with none. */
  get max(): number {
    return this.#max;
  }

  /** Null with none. */
  get mean(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count;
  }

  /**
   * The smallest bound below which so many percent of the numbers lie, by nearest rank; null with none.
   *
   * @param percent from 0 to 100
   */
  percentile(percent: number): number | null {
    if (this.#count === 0) return null;
    const rank = Math.max(1, Math.ceil((percent / 100) * this.#count - RANK_ROUNDING));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      seen += this.#counts[bucket] as number;
      if (seen >= rank) return Math.min(this.#max, highestOf(bucket));
    }
    return this.#max;
  }

  /** What another process adds to its own. Only buckets that are not empty. */
  state(): HistogramState {
    const buckets: number[] = [];
    for (let bucket = 0; bucket < BUCKETS; bucket++) if (this.#counts[bucket] !== 0) buckets.push(bucket);
    return {
      buckets,
      counts: buckets.map((bucket) => this.#counts[bucket] as number),
      count: this.#count,
      sum: this.#sum,
      max: this.#max,
    };
  }

  reset(): void {
    this.#counts.fill(0);
    this.#count = 0;
    this.#sum = 0;
    this.#max = 0;
  }
}

/** A histogram as it travels between processes and stands in reports. */
export interface HistogramState {
  readonly buckets: readonly number[];
  /** Of each of `buckets`. */
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
  readonly max: number;
}

/** Numbers below 2^(SUB_BITS + 1) have a bucket each. */
const SUB_BITS = 7;
const SUB = 2 ** SUB_BITS;
const VALUE_MAX = 2 ** 32 - 1;
const BUCKETS = bucketOf(VALUE_MAX) + 1;
/** 99.9 % of 1000 is 999.0000000000001 in floating point, which is rank 999. */
const RANK_ROUNDING = 1e-6;

function bucketOf(value: number): number {
  if (value < 2 * SUB) return value;
  const shift = 31 - Math.clz32(value) - SUB_BITS;
  return shift * SUB + (value >>> shift);
}

function highestOf(bucket: number): number {
  if (bucket < 2 * SUB) return bucket;
  const shift = Math.floor(bucket / SUB) - 1;
  return (bucket - shift * SUB + 1) * 2 ** shift - 1;
}
