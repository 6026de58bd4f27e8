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

  after(delayMs: number, run: () => void): Timer {
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

  /** The process is gone: nothing that it waited for happens any more. */
  stop(): void {
    this.#isDead = true;
    for (const due of this.#armed) due.run = null;
    this.#armed.clear();
  }
}

/** A wait that is longer than nothing is longer than a sum of floating-point numbers can lose. */
const ROUNDING_MS = 2 ** -20;
