import { performance } from "node:perf_hooks";
import type { Clock, Timer } from "./clock.ts";

/** Node caps timers at 2^31 - 1 ms and fires at once above it; a longer wait is cut to this. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** The machine's own time. One per process: its `timersPending` is the process's book of timers. */
export class SystemClock implements Clock {
  #timersPending = 0;

  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  get timersPending(): number {
    return this.#timersPending;
  }

  after(delayMs: number, run: () => void): Timer {
    this.#timersPending++;
    let armed = true;
    const settle = (): boolean => {
      if (!armed) return false;
      armed = false;
      this.#timersPending--;
      return true;
    };
    const handle = setTimeout(
      () => {
        if (settle()) run();
      },
      Math.max(0, Math.min(delayMs, DELAY_MS_MAX)),
    );
    handle.unref();
    const cancel = () => {
      if (settle()) clearTimeout(handle);
    };
    return { cancel, [Symbol.dispose]: cancel };
  }
}
