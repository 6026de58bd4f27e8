import { type Due, DueQueue } from "./due-queue.ts";

/**
 * The time of a run, and its event loop. Time moves from one thing that is due to the next, and only when nothing is
 * left to do at the present one: promises have settled, streams have called back, and turns have been taken.
 *
 * The one thing of the real event loop that is used is the turn that `setImmediate` gives, since microtasks and
 * `process.nextTick` can't be waited for otherwise. No file descriptor and no timer is behind it, so the order of
 * everything follows from the order in which it was asked for.
 */
export class SimulatedTime {
  readonly #due = new DueQueue();
  #nowMs = 0;
  #turns: (() => void)[] = [];
  #isRestless = false;
  /** Things that have happened. */
  steps = 0;

  /** Milliseconds since the run's start. */
  get nowMs(): number {
    return this.#nowMs;
  }

  /** Has something happen later; at once is later too. */
  in(delayMs: number, run: () => unknown): Due | null {
    return this.at(this.#nowMs + delayMs, run);
  }

  /** The same, at a time of the run. */
  at(atMs: number, run: () => unknown): Due | null {
    // What is due never is never due.
    if (atMs === Number.POSITIVE_INFINITY) return null;
    return this.#due.put(atMs <= this.#nowMs ? this.#nowMs : onGrid(atMs, this.#nowMs), run);
  }

  /** Calls back once what is under way is over, and before time moves. */
  turn(run: () => void): void {
    this.#turns.push(run);
  }

  /** Something was begun that goes on by itself, such as a promise or a stream. */
  disturb(): void {
    this.#isRestless = true;
  }

  /** Lets all happen that is due by then. @param look called after each step, and told whether anything came of it but a timer set anew; false: stop here */
  async runUntil(untilMs: number, look: (isQuiet: boolean) => boolean): Promise<void> {
    for (let due = this.#due.first; due !== undefined && due.atMs <= untilMs; due = this.#due.first) {
      this.#due.take();
      if (due.run === null) continue;
      this.#nowMs = due.atMs;
      this.steps++;
      const outcome = due.run();
      const isQuiet = !this.#isRestless && this.#turns.length === 0 && !(outcome instanceof Promise);
      if (!isQuiet) await this.settle();
      if (!look(isQuiet)) return;
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  /** Resolves when all that can happen now has happened. */
  async settle(): Promise<void> {
    for (let turns = this.#turns; ; turns = this.#turns) {
      this.#isRestless = false;
      this.#turns = [];
      for (const turn of turns) turn();
      await new Promise((resolve) => setImmediate(resolve));
      if (this.#turns.length === 0 && !this.#isRestless) return;
    }
  }
}

/** Moments in a millisecond. With so many, sums and differences of months are exact. */
const MOMENTS_PER_MS = 2 ** 20;

/** Late rather than early, and never now: whoever is called a moment too early would ask again for ever. */
function onGrid(atMs: number, nowMs: number): number {
  return Math.max(Math.ceil(atMs * MOMENTS_PER_MS), nowMs * MOMENTS_PER_MS + 1) / MOMENTS_PER_MS;
}
