import { type PoolParts, tellGap } from "./pool-parts.ts";
import type { Seat } from "./seat.ts";

/** A link has brought what can't be mapped, and may have been an event of any of its keys: a gap, as often as its `gapPace` says. */
export function noteUnmapped(parts: PoolParts, seat: Seat): void {
  const nowMs = parts.context.clock.monotonicMs();
  if (seat.gapPace.fault(nowMs)) tellGap(parts, seat, { reason: "unmapped", atMs: nowMs });
  else parts.planIn(seat.gapPace.owedInMs(nowMs) ?? 0);
}

/** Tells what is due by now, and has the pool come back for what is not. */
export function tellOwedGaps(parts: PoolParts): void {
  const nowMs = parts.context.clock.monotonicMs();
  for (const seat of parts.seats) {
    const waitMs = seat.gapPace.owedInMs(nowMs);
    if (waitMs === null) continue;
    if (waitMs > 0) {
      parts.planIn(waitMs);
      continue;
    }
    seat.gapPace.told(nowMs);
    tellGap(parts, seat, { reason: "unmapped", atMs: nowMs });
  }
}
