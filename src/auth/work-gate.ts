/**
 * Lets a few pieces of costly work run at once and a bounded number wait, in order. What comes on top is refused, so
 * that a flood of it costs the rest nothing.
 */
export class WorkGate {
  readonly #runningMax: number;
  readonly #waitingMax: number;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(bounds: { runningMax: number; waitingMax: number }) {
    this.#runningMax = bounds.runningMax;
    this.#waitingMax = bounds.waitingMax;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** Null at once when as many wait already as may; else what `work` gives, or its rejection. */
  run<Result>(work: () => Promise<Result>): Promise<Result> | null {
    if (this.#running < this.#runningMax) return this.#perform(work);
    if (this.#waiting.length >= this.#waitingMax) return null;
    return new Promise<void>((resolve) => this.#waiting.push(resolve)).then(() => this.#perform(work));
  }

  async #perform<Result>(work: () => Promise<Result>): Promise<Result> {
    this.#running++;
    try {
      return await work();
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}
