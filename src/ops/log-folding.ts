import type { Clock, Timer } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";

export interface FoldingOptions {
  /** Lines of one key that pass in a window before the rest are counted instead. Default 5. */
  readonly linesMax?: number;
  /** Length of a window, in milliseconds. Default 10,000. */
  readonly windowMs?: number;
  /** Keys told apart at a time; further ones share one window. Default 256. */
  readonly keysMax?: number;
}

/** A key whose window is over, with what was kept back in it. */
export interface Folded {
  readonly key: string;
  /** Lines kept back; at least 1. */
  readonly lines: number;
}

interface Window {
  readonly endsAtMs: number;
  passed: number;
  folded: number;
}

const OVERFLOW_KEY = "others";

/**
 * Decides which lines of a burst are written. Pure: time is an argument, in milliseconds of one monotonic clock. Per
 * key the first `linesMax` of a window pass, the others are counted, and the count comes out when the window is over.
 * For tests it stands apart from the logger.
 */
export class FoldingLimiter {
  readonly linesMax: number;
  readonly windowMs: number;
  readonly keysMax: number;
  /** In order of their ends, since all windows have one length. */
  readonly #windows = new Map<string, Window>();

  constructor(options: FoldingOptions = {}) {
    this.linesMax = options.linesMax ?? 5;
    this.windowMs = options.windowMs ?? 10_000;
    this.keysMax = options.keysMax ?? 256;
  }

  /** True: write the line. False: it is counted. Call `expire` first. */
  admit(key: string, nowMs: number): boolean {
    const held = this.#windows.get(key);
    if (held === undefined && key !== OVERFLOW_KEY && this.#windows.size >= this.keysMax) {
      return this.admit(OVERFLOW_KEY, nowMs);
    }
    const window = held ?? { endsAtMs: nowMs + this.windowMs, passed: 0, folded: 0 };
    if (held === undefined) this.#windows.set(key, window);
    if (window.passed < this.linesMax) {
      window.passed++;
      return true;
    }
    window.folded++;
    return false;
  }

  /** Ends the windows that are over, and answers those that kept lines back. */
  expire(nowMs: number): Folded[] {
    const folded: Folded[] = [];
    for (const [key, window] of this.#windows) {
      if (window.endsAtMs > nowMs) break;
      this.#windows.delete(key);
      if (window.folded > 0) folded.push({ key, lines: window.folded });
    }
    return folded;
  }

  /** Milliseconds until the next window ends, at least 0; null with none open. */
  nextEndInMs(nowMs: number): number | null {
    for (const window of this.#windows.values()) return Math.max(0, window.endsAtMs - nowMs);
    return null;
  }
}

/**
 * A logger whose bursts are folded: repeats of one level and message beyond the limit are counted, and the count is
 * written as one line with `repeated` when the window is over. Holds one timer at most, while a window is open.
 */
export class FoldingLogger implements Logger, Disposable {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #limiter: FoldingLimiter;
  #timer: Timer | null = null;

  constructor(logger: Logger, clock: Clock, options: FoldingOptions = {}) {
    this.#logger = logger;
    this.#clock = clock;
    this.#limiter = new FoldingLimiter(options);
  }

  debug(fields: object, message: string): void {
    if (this.#admits("debug", message)) this.#logger.debug(fields, message);
  }

  info(fields: object, message: string): void {
    if (this.#admits("info", message)) this.#logger.info(fields, message);
  }

  warn(fields: object, message: string): void {
    if (this.#admits("warn", message)) this.#logger.warn(fields, message);
  }

  error(fields: object, message: string): void {
    if (this.#admits("error", message)) this.#logger.error(fields, message);
  }

  /** Writes the counts of all open windows now and disarms. Idempotent. */
  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#report(Number.POSITIVE_INFINITY);
  }

  #admits(level: keyof Logger, message: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    this.#report(nowMs);
    const admitted = this.#limiter.admit(`${level} ${message}`, nowMs);
    this.#arm(nowMs);
    return admitted;
  }

  #arm(nowMs: number): void {
    const inMs = this.#limiter.nextEndInMs(nowMs);
    if (this.#timer !== null || inMs === null) return;
    this.#timer = this.#clock.after(inMs, () => {
      this.#timer = null;
      this.#report(this.#clock.monotonicMs());
      this.#arm(this.#clock.monotonicMs());
    });
  }

  #report(nowMs: number): void {
    for (const { key, lines } of this.#limiter.expire(nowMs)) {
      const [level, message] = splitKey(key);
      this.#logger[level]({ repeated: lines }, message);
    }
  }
}

function splitKey(key: string): [keyof Logger, string] {
  if (key === OVERFLOW_KEY) return ["warn", "further log lines of many kinds"];
  const space = key.indexOf(" ");
  return [key.slice(0, space) as keyof Logger, key.slice(space + 1)];
}
