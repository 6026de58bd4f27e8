import type { Clock } from "#base/clock.ts";
import { Histogram } from "#base/counters.ts";

/** Larger batches go to the socket as a list: copying them would cost more than it saves. */
const JOIN_BYTES_MAX = 64 * 1024;

/**
 * Connections that are written to in one turn of the event loop; the others follow in the next ones. Node accepts one new
 * connection a turn (libuv since 1.45), so with ten thousand writes a turn no more than ten clients a second are let in
 * while events flow. A turn costs about as much as one write.
 */
export const FLUSHED_AT_ONCE = 128;

const LAG_BOUNDS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** What has frames to write at the end of this turn of the event loop. */
export interface Flushable {
  flush(): void;
}

/**
 * One write per connection and event-loop turn. Whatever is enqueued within a turn leaves together, which is worth more
 * than everything else that could be tuned: the kernel's `write` is most of a delivery's cost. While there are more than
 * a turn may take, they have theirs one after another, and what is enqueued meanwhile leaves together all the more.
 */
export class Flusher {
  readonly #clock: Clock;
  #scheduled: Flushable[] = [];
  /** Those who are being written to, and how many of them have been. */
  #due: Flushable[] = [];
  #done = 0;
  readonly #nextTurn: (run: () => void) => void;
  #isDue = false;
  #joinedParts: readonly Buffer[] = [];
  #joined: Buffer | null = null;

  /** When the flush under way began; null between two. */
  #flushMs: number | null = null;
  /** Seconds from a connection's first queued frame to its write. */
  readonly lag = new Histogram(LAG_BOUNDS_S);

  /** @param nextTurn calls back once the current turn of the event loop is over; default `setImmediate` */
  constructor(clock: Clock, nextTurn: (run: () => void) => void = setImmediate) {
    this.#clock = clock;
    this.#nextTurn = nextTurn;
  }

  /** Notes the lag of a write. Within a flush the clock was asked once for all; a drained or closed socket writes between. */
  wrote(queuedSinceMs: number): void {
    this.lag.observe(((this.#flushMs ?? this.#clock.monotonicMs()) - queuedSinceMs) / 1000);
  }

  /** Calls `flush` once the current turn's callbacks have run, or some turns later. Scheduling twice is the caller's to avoid. */
  schedule(flushable: Flushable): void {
    this.#scheduled.push(flushable);
    if (!this.#isDue) this.#arm();
  }

  /** Resolves once the current turn of the event loop is over. */
  nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#nextTurn(resolve));
  }

  /**
   * Several frames as one buffer, or null where they are too large to copy. Connections of the same topics flush the
   * same frames one after another, so the last answer is kept and mostly fits again.
   */
  join(parts: readonly Buffer[], bytes: number): Buffer | null {
    if (bytes > JOIN_BYTES_MAX) return null;
    if (this.#joined !== null && sameParts(parts, this.#joinedParts)) return this.#joined;
    this.#joined = Buffer.concat(parts as Buffer[], bytes);
    this.#joinedParts = parts.slice();
    return this.#joined;
  }

  #flush(): void {
    this.#isDue = false;
    this.#flushMs = this.#clock.monotonicMs();
    if (this.#due.length === 0) [this.#due, this.#scheduled] = [this.#scheduled, this.#due];
    const due = this.#due;
    const until = Math.min(this.#done + FLUSHED_AT_ONCE, due.length);
    while (this.#done < until) (due[this.#done++] as Flushable).flush();
    if (this.#done === due.length) due.length = this.#done = 0;
    if (!this.#isDue && due.length + this.#scheduled.length > 0) this.#arm();
    this.#flushMs = null;
    this.#joined = null;
    this.#joinedParts = [];
  }

  #arm(): void {
    this.#isDue = true;
    this.#nextTurn(() => this.#flush());
  }
}

function sameParts(left: readonly Buffer[], right: readonly Buffer[]): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) {
    if (left[index] !== right[index]) return false;
  }
  return true;
}
