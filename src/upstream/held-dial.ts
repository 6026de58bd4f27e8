import type { Clock, Timer } from "#base/clock.ts";
import type { Dial } from "./dialer.ts";

/** A dial that begins after a while. Destroyed before, it never does. */
export class HeldDial implements Dial {
  #inner: Dial | null = null;
  readonly #timer: Timer;

  constructor(clock: Clock, waitMs: number, begin: () => Dial) {
    this.#timer = clock.after(waitMs, () => {
      this.#inner = begin();
    });
  }

  get phase(): Dial["phase"] {
    return this.#inner?.phase ?? "connect";
  }

  destroy(): void {
    this.#timer.cancel();
    this.#inner?.destroy();
  }
}
