/** How much later than a revocation a token of what it ended may have been signed, in milliseconds: clocks differ. */
const LATE_MS = 60_000;

/** Revocations of one kind in memory, at most so many. Times are milliseconds since the Unix epoch. */
export class HeldRevocations {
  readonly #max: number;
  /** In order of arrival. */
  readonly #byId = new Map<string, { readonly atMs: number; readonly untilMs: number }>();
  /** Tokens issued up to here are refused: older revocations had to be forgotten. Fails closed; a newer token cures it. */
  #floorMs = Number.NEGATIVE_INFINITY;
  /** The latest revocation that was forgotten. */
  #forgottenMs = Number.NEGATIVE_INFINITY;
  /** Until when some token of what was forgotten may live. */
  #floorUntilMs = Number.NEGATIVE_INFINITY;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#byId.size;
  }

  /** False: it is known, or no token of it can live any more. */
  add(id: string, { atMs, untilMs }: { atMs: number; untilMs: number }, nowMs: number): boolean {
    if (untilMs <= nowMs || this.#byId.has(id)) return false;
    // Refused by the floor. Were it held, it would push out another, which would come back at the next look, and so on.
    if (atMs <= this.#forgottenMs && untilMs <= this.#floorUntilMs) return true;
    this.#byId.set(id, { atMs, untilMs });
    if (this.#byId.size > this.#max) this.#forgetOldest(nowMs);
    return true;
  }

  holds(id: string, nowMs: number): boolean {
    const held = this.#byId.get(id);
    return held !== undefined && held.untilMs > nowMs;
  }

  /** Whether a token of this id must be refused: it is held, or may have been. */
  refuses(id: string, issuedAtMs: number, nowMs: number): boolean {
    return (issuedAtMs <= this.#floorMs && nowMs < this.#floorUntilMs) || this.holds(id, nowMs);
  }

  /** Forgets what no token can live of. */
  prune(nowMs: number): void {
    for (const [id, { untilMs }] of this.#byId) {
      if (untilMs <= nowMs) this.#byId.delete(id);
    }
  }

  #forgetOldest(nowMs: number): void {
    const [id, { atMs, untilMs }] = this.#byId.entries().next().value ?? ["", { atMs: 0, untilMs: 0 }];
    this.#byId.delete(id);
    if (untilMs <= nowMs) return;
    this.#forgottenMs = Math.max(this.#forgottenMs, atMs);
    this.#floorMs = Math.max(this.#floorMs, Math.min(nowMs, atMs + LATE_MS));
    this.#floorUntilMs = Math.max(this.#floorUntilMs, untilMs);
  }
}
