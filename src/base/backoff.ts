import type { Random } from "./random.ts";

export interface BackoffBounds {
  /** Upper end of the first window, in milliseconds. */
  readonly minMs: number;
  /** Upper end of the widest window, in milliseconds. */
  readonly maxMs: number;
}

/**
 * Exponential backoff with full jitter: uniform over [0, min(maxMs, minMs * 2^attempt)], from the first retry on,
 * so that clients that were cut together do not come back together.
 *
 * @param attempt failures before this wait, less one: 0 for the first retry
 */
export function backoffMs(attempt: number, bounds: BackoffBounds, random: Random): number {
  return random() * backoffWindowMs(attempt, bounds);
}

/** The window that `backoffMs` draws from, in milliseconds. For tests. */
export function backoffWindowMs(attempt: number, bounds: BackoffBounds): number {
  return Math.min(bounds.maxMs, bounds.minMs * 2 ** Math.min(attempt, 52));
}
