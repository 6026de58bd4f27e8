import type { Clock } from "#base/clock.ts";
import { isBusy } from "./sqlite-errors.ts";

/** How long another process's lock is waited for before it is told, in milliseconds. */
export const LOCK_WAIT_MS_MAX = 5_000;
const LOCK_RETRY_MS = 25;

/**
 * Tries until no other process's lock is in the way, or too much time is over. Between tries the event loop runs,
 * which it would not in SQLite's own waiting. Opening needs this as well: changing to the write-ahead log fails at
 * once beside another process that does the same, whatever time SQLite was given.
 */
export async function whenFree<Result>(clock: Clock, attempt: () => Result): Promise<Result> {
  try {
    return attempt();
  } catch (error) {
    if (!isBusy(error)) throw error;
  }
  const deadlineMs = clock.monotonicMs() + LOCK_WAIT_MS_MAX;
  // A command has nothing else that keeps its process alive, and the clock's timers do not.
  const alive = setInterval(() => {}, LOCK_WAIT_MS_MAX);
  try {
    for (;;) {
      await new Promise<void>((resolve) => void clock.after(LOCK_RETRY_MS, resolve));
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error) || clock.monotonicMs() >= deadlineMs) throw error;
      }
    }
  } finally {
    clearInterval(alive);
  }
}
