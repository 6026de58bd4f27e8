import type { FeedCounters } from "./feed-counters.ts";
import type { PlacementLimits } from "./placement.ts";
import type { FeedContext, FeedSettings } from "./ports.ts";
import type { QuietLog } from "./quiet-log.ts";
import type { Routes } from "./routes.ts";
import type { Loss, Seat } from "./seat.ts";
import type { Seats } from "./seats.ts";

/** What the parts of one pool share. The pool owns it. */
export interface PoolParts {
  readonly settings: FeedSettings;
  readonly context: FeedContext;
  readonly counters: FeedCounters;
  readonly quietLog: QuietLog;
  readonly limits: PlacementLimits;
  readonly routes: Routes;
  readonly seats: Seats;
  /** Keys in quarantine are due, and every place of every link is taken. May release keys. */
  crowdedOut(keys: readonly string[]): void;
  /** Has the pool look at its links after so long, or earlier if that is already set. */
  planIn(delayMs: number): void;
}

/** Tells, counts and logs once that events may be missing which a link should have brought. Default topics: all of the link's. */
export function tellGap(
  parts: PoolParts,
  seat: Seat,
  { reason, atMs, sinceLifeBefore = false }: Loss,
  topics: readonly string[] = parts.routes.topicsOf(seat),
): void {
  const { settings, context, counters, quietLog } = parts;
  if (topics.length === 0 && !sinceLifeBefore) return;
  const downMs = context.clock.monotonicMs() - atMs;
  const fields = { feed: settings.name, reason, downMs };
  counters.gaps++;
  quietLog.warn("gap", { ...fields, link: seat.link.id, topics: topics.length }, "events may be missing");
  context.sink.gap(topics, { ...fields, private: settings.access === "private", sinceLifeBefore });
}
