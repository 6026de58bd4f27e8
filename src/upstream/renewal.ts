import type { PoolParts } from "./pool-parts.ts";
import { isSettled, type Seat } from "./seat.ts";
import type { Takeovers } from "./takeovers.ts";

/**
 * Open links that are replaced for their own sake: those that have reached their age, and those to another URL than the
 * first, which is tried again after a while. One at a time, and only while none is being replaced anyway.
 */
export class Renewal {
  readonly #parts: PoolParts;
  readonly #takeovers: Takeovers;
  #failBackNotBeforeMs = 0;

  constructor(parts: PoolParts, takeovers: Takeovers) {
    this.#parts = parts;
    this.#takeovers = takeovers;
  }

  /** A link is open: from now on its age counts, and how long it may stay where it is. */
  opened(seat: Seat): void {
    const { settings, planIn } = this.#parts;
    const failBackMs = 2 * settings.retry.maxMs;
    seat.aged = false;
    seat.failsBackAtMs = seat.urlAt === 0 ? null : this.#nowMs + failBackMs;
    if (seat.urlAt > 0) planIn(failBackMs);
  }

  /** The link is to be replaced at the next chance. */
  aged(seat: Seat): void {
    seat.aged = true;
    this.#parts.planIn(0);
  }

  /** A link is over: URLs in turn; the first one again when one that had been healthy is lost. */
  over(seat: Seat, wasOpen: boolean): void {
    const { state } = seat.link;
    const wasHealthy = wasOpen && "attempt" in state && state.attempt <= 1;
    seat.urlAt = wasHealthy ? 0 : (seat.urlAt + 1) % this.#parts.settings.urls.length;
    seat.failsBackAtMs = null;
  }

  /** The first URL was tried, in vain. */
  failedBack(): void {
    this.#failBackNotBeforeMs = this.#nowMs + this.#parts.settings.retry.maxMs;
  }

  /** Replaces one, if any is due. */
  renew(): void {
    const seats = [...this.#parts.seats];
    if (!seats.every(isSettled)) return;
    const open = seats.filter((seat) => this.#parts.routes.isUpToDate(seat));
    const aged = open.find((seat) => seat.aged);
    if (aged !== undefined) {
      this.#takeovers.replace([aged], []);
      return;
    }
    const [next] = open
      .filter((seat) => seat.failsBackAtMs !== null)
      .sort((a, b) => (a.failsBackAtMs ?? 0) - (b.failsBackAtMs ?? 0));
    if (next === undefined) return;
    const waitMs = Math.max(next.failsBackAtMs ?? 0, this.#failBackNotBeforeMs) - this.#nowMs;
    if (waitMs > 0) this.#parts.planIn(waitMs);
    else this.#takeovers.replace([next], [], 0);
  }

  get #nowMs(): number {
    return this.#parts.context.clock.monotonicMs();
  }
}
