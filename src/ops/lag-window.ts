import type { HistogramView } from "./views.ts";

/** How many looks at the histogram are held: at one a second, ten seconds. */
const LOOKS = 10;

/**
 * Percentiles of what a histogram has counted lately, from its cumulative counts at each look. Pure. Answers upper
 * bounds of buckets, in the histogram's unit: no more is known.
 */
export class LagWindow {
  readonly #looks: (readonly number[])[] = [];

  look(histogram: HistogramView): void {
    this.#looks.push([...histogram.counts]);
    if (this.#looks.length > LOOKS + 1) this.#looks.shift();
  }

  /**
   * @param share between 0 and 1
   * @returns null when nothing was observed in the window; the highest bound for what exceeds every bound
   */
  percentile(histogram: HistogramView, share: number): number | null {
    const [oldest] = this.#looks;
    const newest = this.#looks.at(-1);
    if (oldest === undefined || newest === undefined) return null;
    const grown = newest.map((count, bucket) => count - (oldest[bucket] ?? 0));
    const total = grown.reduce((sum, count) => sum + count, 0);
    if (total <= 0) return null;
    let seen = 0;
    for (const [bucket, count] of grown.entries()) {
      seen += count;
      if (seen >= total * share) return histogram.bounds[bucket] ?? histogram.bounds.at(-1) ?? null;
    }
    return null;
  }
}
