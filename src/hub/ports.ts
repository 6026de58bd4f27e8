import type { LogBounds } from "./log.ts";

export interface HubOptions {
  /** Names this life of the log; another life has another epoch. */
  readonly epoch: string;
  readonly log: LogBounds;
  /** Most bytes of topics' states. */
  readonly stateBytesMax: number;
  /** Wall-clock time in milliseconds. */
  readonly nowMs: () => number;
  /** Told when a topic gets its first exact subscriber and when it loses its last. */
  readonly demand?: Demand;
}

/**
 * What becomes of a wish for a topic. `held`: its events have come without a break; `begun`: they come from now on,
 * and what went before is not known; `full`: they can't be had.
 */
export type DemandVerdict = "held" | "begun" | "full";

export interface Demand {
  wanted(topic: string): DemandVerdict;
  unwanted(topic: string): void;
}

export interface HubStats {
  readonly topics: number;
  readonly topicsWithState: number;
  readonly subscribers: number;
  readonly patterns: number;
  readonly logEvents: number;
  readonly logBytes: number;
  readonly stateBytes: number;
  readonly head: number;
}

export interface HistoryQuery {
  /** Only events after this sequence (or before it, with `reverse`); absent: from the end of what is held. */
  readonly afterSequence?: number;
  readonly limit: number;
  /** Newest first. */
  readonly reverse: boolean;
}
