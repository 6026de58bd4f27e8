/**
 * Room `base`: what every room may use and that uses nothing itself: time, chance, units, errors, logging. It
 * imports nothing of the project.
 *
 * Time comes in as an argument, so that months can be simulated in seconds.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the Unix epoch. For timestamps that others see. */
  nowMs(): number;
  /** Monotonic time in milliseconds. For durations; never jumps. */
  monotonicMs(): number;
  /** Calls `run` once after `delayMs`. The timer does not keep the process alive. */
  after(delayMs: number, run: () => void): Timer;
  /** Timers that are armed and have neither fired nor been cancelled. For the books. */
  readonly timersPending: number;
}

export interface Timer extends Disposable {
  /** Idempotent; a fired timer ignores it. */
  cancel(): void;
}
