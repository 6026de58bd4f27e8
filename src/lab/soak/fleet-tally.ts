import type { Breach } from "./ledger.ts";

/** What a process of clients has seen since it started. */
export interface FleetTally {
  /** Connections begun. */
  begun: number;
  /** Of these, let in. */
  letIn: number;
  /** Connections over, whoever ended them. */
  over: number;
  events: number;
  /** Connections that came back with a cursor. */
  returns: number;
  /** Times that a subscriber was told of missing events. */
  told: number;
  /** Numbers that came again after another life of the gateway began, which was told. */
  crossed: number;
  lost: number;
  repeated: number;
  /** Silent WebSocket clients that the gateway sent away, and those that it had not after a long while. */
  silentSentAway: number;
  silentOverstayed: number;
  /** Ends by the gateway by their close code, 0 for none; and refusals by status or code. */
  cuts: Record<string, number>;
  refusals: Record<string, number>;
}

export function emptyTally(): FleetTally {
  return {
    begun: 0,
    letIn: 0,
    over: 0,
    events: 0,
    returns: 0,
    told: 0,
    crossed: 0,
    lost: 0,
    repeated: 0,
    silentSentAway: 0,
    silentOverstayed: 0,
    cuts: {},
    refusals: {},
  };
}

/** A tally, and the breaches since the last one that was asked for (the first of them, when there are many). */
export interface FleetReport {
  readonly tally: FleetTally;
  readonly breaches: readonly Breach[];
  /** Connections of visitors and of witnesses that are up now. */
  readonly visitors: number;
  readonly witnesses: number;
}

export function sumOf(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

export function increment(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
