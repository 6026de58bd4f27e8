import type { Door } from "./client.ts";

/** What the process of clients is told to do. */
export type FleetCommand =
  /** Where the gateway is now; null: nowhere, so nobody tries. */
  | { readonly do: "door"; readonly door: Door | null }
  /** A witness set for each topic comes, and visitors for each key from now on. */
  | {
      readonly do: "begin";
      readonly topics: readonly string[];
      readonly keys: readonly string[];
      readonly seed: number;
    }
  /** So many visits a second; 0: those that are here leave. */
  | { readonly do: "turnover"; readonly perSecond: number }
  /** Whether witnesses that roam do, or stay. They do to begin with. */
  | { readonly do: "roam"; readonly isRoaming: boolean }
  /** Answers how many witnesses have not got the last event of their topic: as soon as none, at the latest after a time. */
  | { readonly do: "await"; readonly last: Readonly<Record<string, number>>; readonly withinMs: number }
  /** Answers a `FleetReport`. */
  | { readonly do: "report" };

/** A command, or its answer. */
export interface Envelope<Body> {
  readonly id: number;
  readonly body: Body;
}
