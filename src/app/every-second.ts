import type { Clock, Timer } from "#base/clock.ts";

/** Calls a function every second, or as often as it is told, until it is disposed of: for what must also happen when nothing does. */
export class EverySecond implements Disposable {
  readonly #clock: Clock;
  readonly #run: () => void;
  readonly #everyMs: number;
  #timer: Timer | null = null;

  constructor(clock: Clock, run: () => void, everyMs = EVERY_MS) {
    this.#clock = clock;
    this.#run = run;
    this.#everyMs = everyMs;
    this.#arm();
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    this.#timer = this.#clock.after(this.#everyMs, () => {
      this.#arm();
      this.#run();
    });
  }
}

const EVERY_MS = 1000;
