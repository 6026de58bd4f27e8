/** Shortest and longest time between two gaps of one link that are told for events that could not be mapped, in milliseconds. */
export const GAP_PACE_MS = { min: 10_000, max: 600_000 } as const;

/**
 * When to tell that events are missing which came and could not be mapped: the first at once; what follows within the
 * pace, once, at its end. A feed that keeps on sending such events is believed less and less: the pace doubles, and
 * starts anew when it was kept for its whole length without one. Pure; times are monotonic milliseconds.
 */
export class GapPace {
  #paceMs: number = GAP_PACE_MS.min;
  #toldAtMs: number | null = null;
  #isOwed = false;

  /** An event could not be mapped. Answers whether to tell now. */
  fault(nowMs: number): boolean {
    const sinceMs = this.#toldAtMs === null ? Number.POSITIVE_INFINITY : nowMs - this.#toldAtMs;
    if (sinceMs < this.#paceMs) {
      this.#isOwed = true;
      return false;
    }
    if (sinceMs >= 2 * this.#paceMs) {
      this.#paceMs = GAP_PACE_MS.min;
      this.#isOwed = false;
      this.#toldAtMs = nowMs;
    } else this.told(nowMs);
    return true;
  }

  /** How long until what is owed is to be told, in milliseconds; null: nothing is. */
  owedInMs(nowMs: number): number | null {
    return this.#isOwed ? Math.max(0, (this.#toldAtMs ?? nowMs) + this.#paceMs - nowMs) : null;
  }

  /** What was owed is told now: the next has to wait for longer. */
  told(nowMs: number): void {
    this.#isOwed = false;
    this.#toldAtMs = nowMs;
    this.#paceMs = Math.min(GAP_PACE_MS.max, 2 * this.#paceMs);
  }
}
