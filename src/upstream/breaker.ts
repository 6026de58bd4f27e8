import { backoffWindowMs } from "#base/backoff.ts";
import type { Random } from "#base/random.ts";

/**
 * Slows a feed down whose every link fails, and never stops trying.
 *
 * ```
 * closed ──every link's attempt failed──▶ open ──time, and a link asks──▶ half open: one link is the probe
 *    ▲                                     ▲                                 │ failed      │ opened, or rejected
 *    │                                     └─────────────────────────────────┘             │
 *    └─────────────────────────────────────────────────────────────────────────────────────┘
 * ```
 *
 * It stands over the links' own backoff: that decides when a link would try again, this one whether it may, or how
 * much longer it waits. So a feed that is down is asked once in a window, and not once by each of its links. When
 * the probe is through, the others follow within seconds, apart from each other, whatever their own backoff had
 * come to. Times are monotonic milliseconds.
 */
export type Breaker =
  /** `failures`: attempts that failed since one succeeded. */
  | { readonly name: "closed"; readonly failures: number }
  /** `trips`: how often it opened since an attempt succeeded. */
  | { readonly name: "open"; readonly trips: number; readonly untilMs: number }
  | { readonly name: "half_open"; readonly trips: number; readonly probe: number; readonly sinceMs: number };

export interface BreakerSettings {
  /** First time that it stays open. */
  readonly minMs: number;
  /** Longest time that it stays open. */
  readonly maxMs: number;
  /** A probe that has neither succeeded nor failed after so long is taken for gone. */
  readonly probeMs: number;
}

export const CLOSED: Breaker = { name: "closed", failures: 0 };

/** Fewest failed attempts that open it. */
const FAILURES_MIN = 3;
/** When the feed is back, links follow the probe so far apart on average. */
const FOLLOW_MS_PER_LINK = 20;

/**
 * A link's attempt failed.
 *
 * @param links how many links the feed has, none of which is open; 0: one is
 */
export function attemptFailed(
  breaker: Breaker,
  link: number,
  links: number,
  settings: BreakerSettings,
  nowMs: number,
  random: Random,
): Breaker {
  if (breaker.name === "open" || (breaker.name === "half_open" && breaker.probe !== link)) return breaker;
  // One link alone has its own backoff, and needs no other.
  if (links < 2) return CLOSED;
  if (breaker.name === "closed") {
    const failures = breaker.failures + 1;
    if (failures < Math.max(FAILURES_MIN, links)) return { name: "closed", failures };
  }
  const trips = breaker.name === "closed" ? 0 : breaker.trips + 1;
  const windowMs = backoffWindowMs(trips, settings);
  return { name: "open", trips, untilMs: nowMs + windowMs * (0.5 + 0.5 * random()) };
}

/**
 * A link's request was rejected, which is an answer: the probe has found out that the feed is there. The others need not
 * wait for more, nor be hurried to what may be the same answer.
 */
export function attemptRejected(breaker: Breaker, link: number): Breaker {
  return breaker.name === "half_open" && breaker.probe === link ? CLOSED : breaker;
}

/**
 * A link's own time has come: how much longer it has to wait, in milliseconds; 0: it may try, perhaps as the probe.
 * Those that wait are spread over `minMs`, so that they do not ask in the same instant either.
 */
export function askLeave(
  breaker: Breaker,
  link: number,
  settings: BreakerSettings,
  nowMs: number,
  random: Random,
): readonly [Breaker, number] {
  const spreadMs = settings.minMs * random();
  switch (breaker.name) {
    case "closed":
      return [breaker, 0];
    case "open":
      return nowMs < breaker.untilMs
        ? [breaker, breaker.untilMs - nowMs + spreadMs]
        : [{ name: "half_open", trips: breaker.trips, probe: link, sinceMs: nowMs }, 0];
    case "half_open":
      if (nowMs < breaker.sinceMs + settings.probeMs && breaker.probe !== link) {
        return [breaker, settings.minMs / 2 + spreadMs];
      }
      return [{ ...breaker, probe: link, sinceMs: nowMs }, 0];
  }
}

/** Within what time the others follow a probe that succeeded, in milliseconds. */
export function followWithinMs(waiting: number, settings: BreakerSettings): number {
  return Math.min(settings.maxMs, Math.max(settings.minMs, waiting * FOLLOW_MS_PER_LINK));
}
