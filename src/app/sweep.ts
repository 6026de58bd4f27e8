import type { Clock, Timer } from "#base/clock.ts";
import { Tally } from "#base/counters.ts";
import type { Logger } from "#base/logger.ts";
import {
  type Finding,
  findings,
  SWEEP_KINDS,
  type SweepBooks,
  SweepKind,
  SweepMemory,
} from "./sweep-checks.ts";

/** From the end of one sweep to the beginning of the next, in milliseconds. */
const EVERY_MS = 60_000;
/** Things looked at in one turn of the event loop, and the pause after it in milliseconds. */
const LOOKS_MAX = 2000;
const PAUSE_MS = 10;
/** Findings of one kind that a sweep logs one by one; the rest are counted. */
const LOGGED_MAX = 10;

/**
 * An alarm, not a broom: it looks every minute for what should not exist, releases it, and reports it as the bug that
 * it is. All else in this house is released by its owner, so it should find nothing, ever.
 *
 *     waiting ──a minute──> looking ──a slice a turn──> waiting
 */
export class Sweep implements Disposable {
  /** What was found and released since the start, by kind. */
  readonly reclaimed = new Tally(Object.values(SweepKind));
  readonly #books: SweepBooks;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #memory = new SweepMemory();
  #pass: Generator<Finding | null, void> | null = null;
  #foundThisPass = new Tally<SweepKind>();
  #timer: Timer | null = null;
  #isOver = false;

  constructor(books: SweepBooks, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
    this.#books = books;
    this.#clock = clock;
    this.#log = log;
    this.#arm(EVERY_MS);
  }

  /** Looks at everything now, without pauses. Answers what was found. For tests, soaks and operators. */
  run(): Tally<SweepKind> {
    this.#begin();
    while (!this.#look(Number.POSITIVE_INFINITY)) {}
    return this.#foundThisPass;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#pass = null;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(delayMs: number): void {
    if (this.#isOver) return;
    this.#timer = this.#clock.after(delayMs, () => this.#slice());
  }

  #slice(): void {
    if (this.#pass === null) this.#begin();
    this.#arm(this.#look(LOOKS_MAX) ? EVERY_MS : PAUSE_MS);
  }

  #begin(): void {
    this.#pass = findings(this.#books, this.#memory, this.#clock.monotonicMs());
    this.#foundThisPass = new Tally();
  }

  /** True when the pass is over. */
  #look(looks: number): boolean {
    for (let left = looks; left > 0; left--) {
      const step = this.#pass?.next();
      if (step === undefined || step.done === true) {
        this.#pass = null;
        this.#sum();
        return true;
      }
      if (step.value !== null) this.#reclaim(step.value);
    }
    return false;
  }

  #reclaim({ kind, detail, release }: Finding): void {
    this.reclaimed.add(kind);
    this.#foundThisPass.add(kind);
    if (this.#foundThisPass.of(kind) <= LOGGED_MAX) {
      this.#log.error(
        { kind, meaning: SWEEP_KINDS[kind], ...detail },
        "the sweep found a bug: please report it",
      );
    }
    release();
  }

  #sum(): void {
    for (const [kind, count] of this.#foundThisPass.entries()) {
      if (count > LOGGED_MAX) this.#log.error({ kind, count }, "the sweep found more of the same bug");
    }
  }
}
