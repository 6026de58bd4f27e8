import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";

/** Lines of one kind that may follow each other at once, and how long one more takes to become free. */
const BURST = 5;
const REFILL_MS = 10_000;

/**
 * Warnings that may come in storms: a few of each kind at once, then one every ten seconds, with the number of those
 * that were left out. Of a kind that has fallen silent, the number is told by the next line of any kind, or at the
 * end. Kinds come from a closed list.
 */
export class QuietLog {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { free: number; atMs: number; omitted: number }>();

  constructor(log: Logger, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  warn(kind: string, fields: object, message: string): void {
    const nowMs = this.#clock.monotonicMs();
    let bucket = this.#kinds.get(kind);
    if (bucket === undefined) {
      bucket = { free: BURST, atMs: nowMs, omitted: 0 };
      this.#kinds.set(kind, bucket);
    }
    const gained = Math.floor((nowMs - bucket.atMs) / REFILL_MS);
    if (gained > 0) {
      bucket.free = Math.min(BURST, bucket.free + gained);
      bucket.atMs += gained * REFILL_MS;
    }
    if (bucket.free === 0) {
      bucket.omitted++;
      return;
    }
    bucket.free--;
    this.#log.warn(bucket.omitted > 0 ? { ...fields, omitted: bucket.omitted } : fields, message);
    bucket.omitted = 0;
    for (const [other, { atMs }] of this.#kinds) if (nowMs - atMs >= REFILL_MS) this.#tellOmitted(other);
  }

  /** Tells what was left out last. */
  end(): void {
    for (const kind of this.#kinds.keys()) this.#tellOmitted(kind);
  }

  #tellOmitted(kind: string): void {
    const bucket = this.#kinds.get(kind);
    if (bucket === undefined || bucket.omitted === 0) return;
    this.#log.warn({ kind, omitted: bucket.omitted }, "lines like others before were left out");
    bucket.omitted = 0;
  }
}
