/** A bound on how often something may happen: so much a second on average, and so much at once. It has no clock of its own. */
export class TokenBucket {
  /** Tokens that are there; null: full, as nothing was taken yet. */
  #tokens: number | null = null;
  #atMs = 0;

  /**
   * Takes one token. False: there is none.
   *
   * @param nowMs monotonic
   * @param perSecond tokens that come back in a second
   * @param burst most tokens that can be there
   */
  take(nowMs: number, perSecond: number, burst: number): boolean {
    const back = ((nowMs - this.#atMs) / 1000) * perSecond;
    const tokens = this.#tokens === null ? burst : Math.min(burst, this.#tokens + back);
    this.#atMs = nowMs;
    this.#tokens = tokens >= 1 ? tokens - 1 : tokens;
    return tokens >= 1;
  }
}
