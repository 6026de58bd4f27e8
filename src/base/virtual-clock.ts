import type { Clock, Timer } from "./clock.ts";

interface Armed {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** For tests and simulations: time that moves only when told to. Timers fire in order of their due time, then of their arming. */
export class VirtualClock implements Clock {
  readonly #startMs: number;
  #elapsedMs = 0;
  #order = 0;
  readonly #armed = new Set<Armed>();

  /** @param startMs wall-clock time at the start, in milliseconds since the Unix epoch; default 2026-01-01 */
  constructor(startMs = Date.UTC(2026, 0, 1)) {
    this.#startMs = startMs;
  }

  nowMs(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  get timersPending(): number {
    return this.#armed.size;
  }

  /** Milliseconds until the next timer is due, or null with none armed. */
  get nextDueInMs(): number | null {
    const next = this.#next();
    return next === null ? null : next.dueMs - this.#elapsedMs;
  }

  after(delayMs: number, run: () => void): Timer {
    const armed: Armed = { dueMs: this.#elapsedMs + Math.max(0, delayMs), order: this.#order++, run };
    this.#armed.add(armed);
    const cancel = () => void this.#armed.delete(armed);
    return { cancel, [Symbol.dispose]: cancel };
  }

  /** Moves time on and fires what falls due, timers armed meanwhile included. */
  advance(byMs: number): void {
    const untilMs = this.#elapsedMs + byMs;
    for (let next = this.#next(); next !== null && next.dueMs <= untilMs; next = this.#next()) {
      this.#elapsedMs = Math.max(this.#elapsedMs, next.dueMs);
      this.#armed.delete(next);
      next.run();
    }
    this.#elapsedMs = untilMs;
  }

  #next(): Armed | null {
    let first: Armed | null = null;
    for (const armed of this.#armed) {
      if (
        first === null ||
        armed.dueMs < first.dueMs ||
        (armed.dueMs === first.dueMs && armed.order < first.order)
      ) {
        first = armed;
      }
    }
    return first;
  }
}
