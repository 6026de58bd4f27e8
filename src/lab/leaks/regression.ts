/** A slope with its 95 % confidence interval, in units of y for each unit of x. */
export interface Slope {
  readonly slope: number;
  readonly low: number;
  readonly high: number;
  /** Points that it was found from. */
  readonly points: number;
}

export type Pair = readonly [x: number, y: number];

/** Fewer points say nothing of how they hang together. */
const POINTS_MIN = 8;

/**
 * The slope of a series by least squares. Samples of memory hang together from one to the next, which makes the usual
 * interval far too narrow; this one is Newey and West's, with the critical values of Kiefer and Vogelsang (2005,
 * Bartlett kernel), which hold for the wide bandwidth that short series need. Pure.
 *
 * @param pairs in the order of x
 * @returns null when there are fewer than eight, or x does not change
 */
export function slopeOf(pairs: readonly Pair[]): Slope | null {
  const count = pairs.length;
  if (count < POINTS_MIN) return null;
  const meanX = meanOf(pairs, 0);
  const meanY = meanOf(pairs, 1);
  let sxx = 0;
  let sxy = 0;
  for (const [x, y] of pairs) {
    sxx += (x - meanX) ** 2;
    sxy += (x - meanX) * (y - meanY);
  }
  if (sxx === 0) return null;
  const slope = sxy / sxx;
  const scores = pairs.map(([x, y]) => (x - meanX) * (y - meanY - slope * (x - meanX)));
  const lags = Math.ceil(1.5 * Math.sqrt(count));
  let variance = 0;
  for (let lag = 0; lag <= lags; lag++) {
    const weight = lag === 0 ? 1 : 2 * (1 - lag / (lags + 1));
    let sum = 0;
    for (let at = lag; at < count; at++) sum += (scores[at] as number) * (scores[at - lag] as number);
    variance += weight * sum;
  }
  const error = (Math.sqrt(Math.max(0, variance)) / sxx) * Math.sqrt(count / (count - 2));
  const reach = criticalValue((lags + 1) / count) * error;
  return { slope, low: slope - reach, high: slope + reach, points: count };
}

/** A point of a series with something else that y depends on. */
export type Triple = readonly [x: number, y: number, beside: number];

/**
 * The slope of y over x where y also depends on something else that goes up and down: what of x and of y goes with that is
 * taken out of both, and the slope is that of the rest (Frisch and Waugh). Null as by `slopeOf`. Pure.
 */
export function slopeBeside(triples: readonly Triple[]): Slope | null {
  const xs = rest(triples.map(([x, , beside]): Pair => [beside, x]));
  const ys = rest(triples.map(([, y, beside]): Pair => [beside, y]));
  return slopeOf(xs.map((x, at): Pair => [x, ys[at] as number]));
}

/** Of each y, what a line over x leaves of it. */
function rest(pairs: readonly Pair[]): number[] {
  const [meanX, meanY] = [meanOf(pairs, 0), meanOf(pairs, 1)];
  let sxx = 0;
  let sxy = 0;
  for (const [x, y] of pairs) {
    sxx += (x - meanX) ** 2;
    sxy += (x - meanX) * (y - meanY);
  }
  const slope = sxx === 0 ? 0 : sxy / sxx;
  return pairs.map(([x, y]) => y - meanY - slope * (x - meanX));
}

/**
 * One slope of several series that are stretches of one, such as the lives of a process between restarts: each counts
 * as much as it is sure. Null of none.
 */
export function pooled(slopes: readonly Slope[]): Slope | null {
  const usable = slopes.filter(({ low, high }) => high > low);
  if (usable.length === 0) return slopes[0] ?? null;
  let weights = 0;
  let sum = 0;
  let points = 0;
  for (const { slope, low, high, points: count } of usable) {
    const weight = 1 / (high - low) ** 2;
    weights += weight;
    sum += weight * slope;
    points += count;
  }
  const reach = 0.5 / Math.sqrt(weights);
  const slope = sum / weights;
  return { slope, low: slope - reach, high: slope + reach, points };
}

/** Of the two-sided 95 % interval, by the share of the series that the kernel spans. */
function criticalValue(share: number): number {
  const b = Math.min(1, share);
  return 1.96 + 2.9694 * b + 0.416 * b ** 2 - 0.5324 * b ** 3;
}

function meanOf(pairs: readonly Pair[], axis: 0 | 1): number {
  let sum = 0;
  for (const pair of pairs) sum += pair[axis];
  return sum / pairs.length;
}
