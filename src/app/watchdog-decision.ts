/**
 * When memory runs short: what to do, and when to undo it. Pure.
 *
 *     calm <──> closed <──> trimmed <──> shedding
 *
 * Upwards one step a sample, as soon as the step's share of the limit is passed, so that nobody is sent away before the
 * doors are shut and the log is trimmed. Nobody is kept out for long where trimming the log would do. Downwards one step at a time too, and only after a while below the share by a
 * margin, so that it does not swing.
 */
export const MemoryStep = {
  calm: "calm",
  /** Nobody new is let in. */
  closed: "closed",
  /** The log and the topics' states have a share of their bounds only. */
  trimmed: "trimmed",
  /** The heaviest connections are sent away. */
  shedding: "shedding",
} as const;
export type MemoryStep = (typeof MemoryStep)[keyof typeof MemoryStep];

/** In the order of their severity. */
export const MEMORY_STEPS = Object.values(MemoryStep);

/** Shares of the limit from which on a step is taken. */
const ENTERED_AT: Readonly<Record<MemoryStep, number>> = {
  calm: 0,
  closed: 0.85,
  trimmed: 0.92,
  shedding: 0.97,
};
/** Shares below which a step is left. The log stays trimmed until newcomers can be let in. */
const LEFT_BELOW: Readonly<Record<MemoryStep, number>> = {
  calm: 0,
  closed: 0.8,
  trimmed: 0.8,
  shedding: 0.92,
};
/** How long memory must have been below that, in milliseconds. */
const CALM_AFTER_MS = 2000;
/** How long the doors may be shut for the sake of the log and the states, in milliseconds: then they are trimmed too. */
const CLOSED_MAX_MS = 3000;
/** Time between two of the same measure, in milliseconds: each must have had its effect. */
const TRIM_EVERY_MS = 1000;
const SHED_EVERY_MS = 1000;
/** Collecting garbage stops the process for a moment, so it is done seldom while little depends on it. */
const COLLECT_EVERY_MS: Readonly<Record<Exclude<MemoryStep, "calm">, number>> = {
  closed: 10_000,
  trimmed: 5000,
  shedding: 1500,
};
/** The smallest share that the log and the states are trimmed to. */
const TRIM_SHARE_MIN = 1 / 16;
/** The share of all connections' weight that is sent away at a time. */
const SHED_SHARE = 0.1;

export interface MemorySample {
  /** Share of the limit that is in use; above 1 the limit is passed. */
  readonly used: number;
  /** Monotonic time, in milliseconds. */
  readonly nowMs: number;
}

export interface MemoryState {
  readonly step: MemoryStep;
  /** Share of their bounds that the log and the states may have. */
  readonly trimShare: number;
  /** Since when memory is low enough for the step below; null: it is not. */
  readonly calmSinceMs: number | null;
  /** When the step was taken. */
  readonly steppedAtMs: number;
  readonly trimmedAtMs: number;
  readonly shedAtMs: number;
  readonly collectedAtMs: number;
}

export type MemoryAction =
  /** The step changed. */
  | { readonly kind: "step"; readonly from: MemoryStep; readonly to: MemoryStep }
  | { readonly kind: "collect" }
  | { readonly kind: "trim"; readonly share: number }
  | { readonly kind: "shed"; readonly share: number };

export const CALM: MemoryState = {
  step: "calm",
  trimShare: 1,
  calmSinceMs: null,
  steppedAtMs: Number.NEGATIVE_INFINITY,
  trimmedAtMs: Number.NEGATIVE_INFINITY,
  shedAtMs: Number.NEGATIVE_INFINITY,
  collectedAtMs: Number.NEGATIVE_INFINITY,
};

export function decide(
  state: MemoryState,
  sample: MemorySample,
): { readonly state: MemoryState; readonly actions: readonly MemoryAction[] } {
  const moved = move(state, sample);
  const actions: MemoryAction[] = [];
  if (moved.step !== state.step) actions.push({ kind: "step", from: state.step, to: moved.step });
  return { state: measures(moved, sample, actions), actions };
}

function move(state: MemoryState, { used, nowMs }: MemorySample): MemoryState {
  const rank = MEMORY_STEPS.indexOf(state.step);
  const isShort = used >= LEFT_BELOW[state.step];
  const above = MEMORY_STEPS[rank + 1];
  // Without this, a log that nobody's leaving makes smaller would keep newcomers out until it has grown old.
  const isStuck = state.step === "closed" && isShort && nowMs - state.steppedAtMs >= CLOSED_MAX_MS;
  if (above !== undefined && (used >= ENTERED_AT[above] || isStuck))
    return { ...state, step: above, calmSinceMs: null, steppedAtMs: nowMs };
  const below = MEMORY_STEPS[rank - 1];
  if (below === undefined || isShort) return { ...state, calmSinceMs: null };
  const calmSinceMs = state.calmSinceMs ?? nowMs;
  if (nowMs - calmSinceMs < CALM_AFTER_MS) return { ...state, calmSinceMs };
  return { ...state, step: below, calmSinceMs: nowMs, steppedAtMs: nowMs };
}

function measures(state: MemoryState, { used, nowMs }: MemorySample, actions: MemoryAction[]): MemoryState {
  const rank = MEMORY_STEPS.indexOf(state.step);
  let { trimShare, trimmedAtMs, shedAtMs, collectedAtMs } = state;
  if (rank < MEMORY_STEPS.indexOf("trimmed")) {
    if (trimShare < 1) actions.push({ kind: "trim", share: 1 });
    trimShare = 1;
  } else if (
    used >= LEFT_BELOW.trimmed &&
    trimShare > TRIM_SHARE_MIN &&
    nowMs - trimmedAtMs >= TRIM_EVERY_MS
  ) {
    trimShare /= 2;
    trimmedAtMs = nowMs;
    actions.push({ kind: "trim", share: trimShare });
  }
  // Only what is still too high after garbage was collected is the connections' fault.
  const isCollected = collectedAtMs >= Math.max(trimmedAtMs, shedAtMs) && nowMs - shedAtMs >= SHED_EVERY_MS;
  if (state.step === "shedding" && used >= ENTERED_AT.shedding && isCollected) {
    shedAtMs = nowMs;
    actions.push({ kind: "shed", share: SHED_SHARE });
  }
  // Last, so that what was let go above is collected too.
  const isLeft = collectedAtMs < trimmedAtMs;
  const isShort = state.step !== "calm" && used >= LEFT_BELOW.closed;
  if (isShort && (isLeft || nowMs - collectedAtMs >= COLLECT_EVERY_MS[state.step])) {
    collectedAtMs = nowMs;
    actions.push({ kind: "collect" });
  }
  return { ...state, trimShare, trimmedAtMs, shedAtMs, collectedAtMs };
}
