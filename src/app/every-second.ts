import type { Clock, Timer } from "#base/clock.ts";

/** Calls a function every second until it is disposed of: for what must also happen when nothing does. */
export class EverySecond implements Disposable {
  readonly #clock: Clock;
  readonly #run: () => void;
  #timer: Timer | null = null;

  constructor(clock: Clock, run: () => void) {
    this.#clock = clock;
    this.#run = run;
    this.#arm();
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = null;
  }

  #arm(): void {
    this.#timer = this.#clock.after(EVERY_MS, () => {
      this.#arm();
      this.#run();
    });
  }
}

const EVERY_MS = 1000;
