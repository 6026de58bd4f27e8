import type { Machine } from "./machine.ts";
import type { Figure } from "./report.ts";

/** What a benchmark is given, and whom it tells. */
export interface Bench {
  readonly machine: Machine;
  figure(figure: Omit<Figure, "benchmark">): void;
  /** Something that is left out, and why, in one line. */
  skipped(why: string): void;
}

export interface Benchmark {
  readonly name: string;
  readonly about: string;
  /** Throws `Missing` where the machine lacks what all of it needs. */
  run(bench: Bench): Promise<void>;
}
