import type { Clock } from "#base/clock.ts";

const LOOK_MS = 10;

/** Lets time pass, for what is measured over a time. */
export function passed(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => clock.after(ms, resolve));
}

/** Looks every few milliseconds, and answers whether it came true in time. */
export async function holdsWithin(
  clock: Clock,
  withinMs: number,
  holds: () => boolean | Promise<boolean>,
): Promise<boolean> {
  const deadlineMs = clock.monotonicMs() + withinMs;
  for (;;) {
    if (await holds()) return true;
    if (clock.monotonicMs() > deadlineMs) return false;
    await passed(clock, LOOK_MS);
  }
}
