import type { Clock, Timer } from "#base/clock.ts";
import type { Due } from "./due-queue.ts";
import type { World } from "./world.ts";

/** The clock of one process: its timers end with it. */
export class LifeClock implements Clock {
  readonly #world: World;
  readonly #bornMs: number;
  readonly #armed = new Set<Due>();
  #isDead = false;

  constructor(world: World) {
    this.#world = world;
    this.#bornMs = world.nowMs;
  }

  nowMs(): number {
    return this.#world.wallMs;
  }

  monotonicMs(): number {
    return this.#world.nowMs - this.#bornMs;
  }

  get timersPending(): number {
    return this.#armed.size;
  }

  /**
   * The same clock for whoever does nothing that goes on by itself when a timer of its own fires, or answers a promise of
   * it: then time may move on at once.
   */
  get quiet(): Clock {
    const clock = this;
    return {
      nowMs: () => clock.nowMs(),
      monotonicMs: () => clock.monotonicMs(),
      get timersPending() {
        return clock.timersPending;
      },
      after: (delayMs, run) => clock.#after(delayMs, run),
    };
  }

  after(delayMs: number, run: () => void): Timer {
    return this.#after(delayMs, () => {
      // Whatever comes of it, promises and streams included.
      this.#world.time.disturb();
      run();
    });
  }

  /** The process is gone: nothing that it waited for happens any more. */
  stop(): void {
    this.#isDead = true;
    for (const due of this.#armed) due.run = null;
    this.#armed.clear();
  }

  #after(delayMs: number, run: () => void): Timer {
    const due = this.#isDead
      ? null
      : this.#world.time.in(delayMs <= 0 ? 0 : delayMs + ROUNDING_MS, () => {
          if (due !== null) this.#armed.delete(due);
          return run();
        });
    if (due !== null) this.#armed.add(due);
    const cancel = () => {
      if (due === null || !this.#armed.delete(due)) return;
      due.run = null;
    };
    return { cancel, [Symbol.dispose]: cancel };
  }
}

/** A wait that is longer than nothing is longer than a sum of floating-point numbers can lose. */
const ROUNDING_MS = 2 ** -20;
