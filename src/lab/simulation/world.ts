import { messageOf } from "#base/errors.ts";
import { Chance } from "./chance.ts";
import type { BrokenPromise, PromiseName } from "./promises.ts";
import { SimulatedTime } from "./simulated-time.ts";
import { Trace } from "./trace.ts";

/** What everything in a run shares: time, chance, the trace, and the first promise that was broken. */
export class World {
  readonly seed: number;
  readonly time = new SimulatedTime();
  readonly trace: Trace;
  #broken: BrokenPromise | null = null;

  constructor(seed: number, tell: ((line: string) => void) | null = null) {
    this.seed = seed;
    this.trace = new Trace(tell);
  }

  get nowMs(): number {
    return this.time.nowMs;
  }

  /** What the clocks of machines say, in milliseconds since the Unix epoch. */
  get wallMs(): number {
    return START_MS + this.time.nowMs;
  }

  get broken(): BrokenPromise | null {
    return this.#broken;
  }

  chance(...names: readonly (string | number)[]): Chance {
    return new Chance(this.seed, ...names);
  }

  note(...parts: readonly (string | number | boolean | null)[]): void {
    this.trace.note(this.time.nowMs, ...parts);
  }

  /** The first one counts; what follows it may follow from it. */
  breaks(promise: PromiseName, detail: string): void {
    if (this.#broken !== null) return;
    const { nowMs: atMs, steps: step } = this.time;
    this.#broken = { promise, detail, step, atMs };
    this.note("broken", promise, detail);
  }

  /** Something threw where nobody caught it. */
  threw(error: unknown): void {
    const stack = error instanceof Error && error.stack !== undefined ? error.stack : messageOf(error);
    this.breaks("crash", stack.split("\n").slice(0, 6).join("\n"));
  }
}

const START_MS = Date.UTC(2026, 0, 1);
