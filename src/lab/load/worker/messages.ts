import type { HistogramState } from "../histogram.ts";
import type { LedgerCounts } from "../ledger.ts";
import type { LoadPlan } from "../plan.ts";
import type { LoadTarget } from "../target.ts";

/** What is said to a worker process: one of its jobs first, then questions, each answered once. */
export type Question =
  | { readonly ask: "fleet"; readonly job: FleetJob }
  | { readonly ask: "publishers"; readonly job: PublishersJob }
  /** A fleet answers when each of its subscribers is ready or has failed; publishers begin. */
  | { readonly ask: "begin" }
  | { readonly ask: "sample" }
  /** Publishers stop, and answer when what was under way is answered. */
  | { readonly ask: "stop" }
  /** A fleet answers when everything has arrived, or the time is over. */
  | { readonly ask: "settle"; readonly published: Published; readonly timeoutMs: number };

export interface FleetJob {
  readonly plan: LoadPlan;
  readonly target: LoadTarget;
  readonly token: string | null;
  /** This worker's number, of `workers`: it has each subscriber whose number is that modulo `workers`. */
  readonly worker: number;
  readonly workers: number;
}

export interface PublishersJob {
  readonly plan: LoadPlan;
  readonly target: LoadTarget;
  readonly token: string | null;
}

/** What was published in all. */
export interface Published {
  /** Events of each publisher, which go to the topics in turn. */
  readonly counts: readonly number[];
  /** Events that the server refused or did not answer for: stream and sequence. At most `REFUSED_MAX`. */
  readonly refused: readonly (readonly [stream: number, sequence: number])[];
}

export const REFUSED_MAX = 10_000;

export interface FleetSample {
  /** Of the worker's process since its start, user and system, in microseconds. */
  readonly cpuUs: number;
  readonly ready: number;
  readonly opened: number;
  readonly churned: number;
  /** Connections that never were ready, by why. */
  readonly failed: Readonly<Record<string, number>>;
  /** Connections that were, and that the server ended, by why; and those that read slowly. */
  readonly ended: Readonly<Record<string, number>>;
  readonly slowEnded: Readonly<Record<string, number>>;
  readonly ledger: Readonly<LedgerCounts>;
  /** Events of topics that the subscriber does not follow, and stamps that are not whole. */
  readonly strays: number;
  /** In microseconds, since the last sample. */
  readonly latencyUs: HistogramState;
  /** In microseconds, since the start. */
  readonly connectUs: HistogramState;
  readonly signInUs: HistogramState;
}

export interface PublishersSample {
  readonly cpuUs: number;
  /** Once publishing has stopped: events that were due by then, and those of them that were never sent. */
  readonly due: number;
  readonly unsent: number;
  readonly published: number;
  readonly accepted: number;
  /** By HTTP status, or by why else. */
  readonly refused: Readonly<Record<string, number>>;
  /** From when an event was due to when it was sent, or given up, in microseconds, since the start. */
  readonly lagUs: HistogramState;
  /** From sending to the answer. */
  readonly answerUs: HistogramState;
}

export interface Settled {
  readonly lost: number;
  /** Subscribers that had not got everything when the time was over. */
  readonly behind: number;
}
