/** Buckets of one power of two: values are known to 1 part in 64, 1.6 %. */
const STEPS = 64;
const STEPS_LOG2 = 6;
const SIZE = STEPS * 27;

/**
 * Latencies from 1 µs to an hour in buckets of equal relative width, as in HdrHistogram, so that those of many
 * processes can be added up and no sample is thrown away.
 */
export class LatencyHistogram {
  readonly #counts: number[];

  /** @param counts of another one, as `counts` gave them */
  constructor(counts: readonly number[] = []) {
    this.#counts = Array.from({ length: SIZE }, (_, bucket) => counts[bucket] ?? 0);
  }

  /** To be sent to another process. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  get samples(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  record(ms: number): void {
    const bucket = bucketOf(Math.max(0, Math.round(ms * 1000)));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  add(other: LatencyHistogram): void {
    other.counts.forEach((count, bucket) => {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    });
  }

  /** The least value, in milliseconds, that a share of the samples is not above; NaN without samples. */
  percentileMs(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.samples));
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (seen >= rank) return highestOf(bucket) / 1000;
    }
    return Number.NaN;
  }
}

function bucketOf(us: number): number {
  if (us < 2 * STEPS) return us;
  const power = Math.floor(Math.log2(us)) - STEPS_LOG2;
  return Math.min(SIZE - 1, power * STEPS + Math.floor(us / 2 ** power));
}

/** The highest value that falls into a bucket. */
function highestOf(bucket: number): number {
  if (bucket < 2 * STEPS) return bucket;
  const power = Math.floor(bucket / STEPS) - 1;
  return ((bucket % STEPS) + STEPS + 1) * 2 ** power - 1;
}
