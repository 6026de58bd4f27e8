import type { SeededLeak } from "../leaks/seed-names.ts";
import type { Broken } from "./checks.ts";
import type { Lack } from "./extension.ts";
import type { SnapshotPair } from "./investigation.ts";
import type { Line, Note, Sample, Totals } from "./sample.ts";

/** What makes a run what it is: the same settings, the same plan. */
export interface SoakSettings {
  readonly durationMs: number;
  /** The turnover of connections of so many times the duration. */
  readonly compress: number;
  readonly seed: number;
  readonly seedLeak: SeededLeak | null;
}

export interface SoakOptions extends SoakSettings {
  readonly dir: string;
  /** Goes on with what is in `dir`, its settings included. */
  readonly resume: boolean;
  /** Ends the run before its time, with a report. */
  readonly signal: AbortSignal;
  readonly onSample: (sample: Sample, plan: { readonly durationMs: number }) => void;
  readonly onNote: (note: Note) => void;
}

/** How a sitting of a run ended. */
export interface SittingEnd {
  readonly isInterrupted: boolean;
  readonly tookMs: number;
  /** How much of that was past its time, so that growth could be judged, and what it lacked for that at the end. */
  readonly extendedMs: number;
  readonly lack: Lack | null;
  /** What was thrown by the soak itself, and ended it; null: nothing was. What the gateway does is no such thing. */
  readonly failure: { readonly thrown: unknown } | null;
}

/** What a run was and what was found, before it is judged. */
export interface SoakRecord extends SittingEnd {
  readonly settings: SoakSettings;
  readonly startedAtMs: number;
  readonly lines: readonly Line[];
  readonly totals: Totals;
  readonly broken: readonly Broken[];
  readonly pairs: readonly SnapshotPair[];
  /** How much of a life of the gateway is left out when its growth is judged, in milliseconds. */
  readonly warmUpMs: number;
}
