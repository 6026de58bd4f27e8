import { Histogram, Tally } from "#base/counters.ts";
import type { LinkReason } from "./link-reason.ts";
import type { MappingFault } from "./mapping.ts";

/** Lifetimes of open links, in seconds, from a second to a week. */
const LIFETIME_BOUNDS_SECONDS = [1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600, 72 * 3600, 168 * 3600] as const;

/** What a feed has counted since its start. Plain numbers, read by metrics when they are asked. */
export class FeedCounters {
  /** Events of topics that were published. */
  events = 0;
  /** Bytes of response bodies. */
  bytes = 0;
  /** Gaps told to the sink, one for each link and outage, whatever the number of topics. */
  gaps = 0;
  /** Events dropped because another link, or the same one before, had brought them. */
  doubles = 0;
  /** Events dropped because nobody wants their key any more. */
  unwanted = 0;
  /** Keys that found every link full. */
  keysRefused = 0;
  /** How often a key was rejected by the feed alone, with no other to blame. */
  keysRejected = 0;
  /** Attempts to open a link. */
  dials = 0;
  /** Attempts after a failure, by the failure's reason. */
  readonly reconnects = new Tally<LinkReason>();
  /** Open links that ended, by reason. */
  readonly drops = new Tally<LinkReason>();
  /** Links and attempts that ended by a reset. */
  resets = 0;
  /** Events, or items of events, that could not be mapped, by fault. */
  readonly faults = new Tally<MappingFault>();
  /** How long open links lived, in seconds. */
  readonly lifetimes = new Histogram(LIFETIME_BOUNDS_SECONDS);
}
