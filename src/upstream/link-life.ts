import { type BackoffBounds, backoffMs } from "#base/backoff.ts";
import type { Random } from "#base/random.ts";
import { type DialPhase, LINK_REASONS, type LinkReason, TIMEOUT_REASONS } from "./link-reason.ts";
import type { HealthSettings, RetrySettings } from "./ports.ts";

/**
 * The life of one link, as a pure machine: state and input in, state and actions out. `link.ts` performs it.
 *
 * ```
 * idle ──want──▶ connecting ──opened──▶ open ──────────────┐
 *                 │  ▲  │ failed, due                      │ failed, due
 *       204 ▼     │  due  ▼                                ▼
 * ended ◀─────────┘  └── waiting / rejected ◀──────────────┘
 *   │ want: waiting                       stop, from anywhere: ended for good
 * ```
 *
 * There is one timer, and one attempt at a time: each dial has a generation, and what an older one still reports
 * is ignored. Times are monotonic milliseconds.
 */
export type LinkState =
  | { readonly name: "idle" }
  /** `attempt`: failures before this attempt since the link was last healthy. */
  | { readonly name: "connecting"; readonly attempt: number; readonly sinceMs: number }
  | { readonly name: "open"; readonly attempt: number; readonly sinceMs: number; readonly ageDueMs: number }
  | {
      readonly name: "waiting";
      readonly attempt: number;
      readonly sinceMs: number;
      readonly untilMs: number;
      readonly reason: LinkReason;
    }
  | {
      readonly name: "rejected";
      readonly attempt: number;
      readonly sinceMs: number;
      readonly untilMs: number;
      readonly reason: LinkReason;
    }
  | {
      readonly name: "ended";
      readonly attempt: number;
      readonly sinceMs: number;
      readonly reason: LinkReason;
    };

export type LinkStateName = LinkState["name"];

export interface LinkLife {
  readonly state: LinkState;
  /** Of the attempt that is under way or was the last; 0 before the first. */
  readonly generation: number;
  /** The first backoff window: `retry.min`, or what the feed's `retry:` said, where that is longer. */
  readonly retryMs: number;
}

export type LinkInput =
  /** Somebody wants what the link carries. Harmless while it lives. */
  | { readonly kind: "want" }
  /** The end, for good. */
  | { readonly kind: "stop"; readonly reason: LinkReason }
  | { readonly kind: "opened"; readonly generation: number }
  | {
      readonly kind: "failed";
      readonly generation: number;
      readonly reason: LinkReason;
      /** From `Retry-After`; null: none. */
      readonly retryAfterMs: number | null;
    }
  /** The feed's `retry:` field. */
  | { readonly kind: "retry"; readonly generation: number; readonly retryMs: number }
  /** The next attempt is put off: while it waits. */
  | { readonly kind: "hold"; readonly untilMs: number }
  /** The feed is back: while it waits, unless `Retry-After` asked for more patience than backoff has. */
  | { readonly kind: "hurry"; readonly withinMs: number }
  /** The timer. `phase`: how far the attempt has come; `lastByteMs`: when the stream's last byte came. */
  | { readonly kind: "due"; readonly phase: DialPhase; readonly lastByteMs: number };

/** `report` and `aged` come last: their receiver may well give the link its next input at once. */
export type LinkAction =
  | { readonly do: "dial"; readonly generation: number }
  /** Destroy the attempt or the open stream. */
  | { readonly do: "abort"; readonly reason: LinkReason }
  /** Set the one timer, in place of what it was set to. */
  | { readonly do: "arm"; readonly atMs: number }
  | { readonly do: "disarm" }
  /** An open or opening stream is over, for this reason. */
  | {
      readonly do: "report";
      readonly reason: LinkReason;
      readonly wasOpen: boolean;
      readonly livedMs: number;
    }
  /** The link has reached its age: whoever owns it may replace it. Said once for each opening. */
  | { readonly do: "aged" };

export interface LinkLifeSettings {
  readonly health: Pick<HealthSettings, "connectTimeoutMs" | "idleTimeoutMs" | "rotateAfterMs">;
  readonly retry: RetrySettings;
}

/** A feed that asks for more patience than this with `Retry-After` is asked again all the same. */
export const RETRY_AFTER_MS_MAX = 3_600_000;

/** The part of `rotateAfterMs` that chance takes away, so that links opened together are not replaced together. */
const ROTATION_SPREAD = 0.1;

export function newLinkLife(settings: LinkLifeSettings): LinkLife {
  return { state: { name: "idle" }, generation: 0, retryMs: settings.retry.minMs };
}

export type LinkStep = readonly [LinkLife, readonly LinkAction[]];

export function stepLinkLife(
  life: LinkLife,
  input: LinkInput,
  settings: LinkLifeSettings,
  nowMs: number,
  random: Random,
): LinkStep {
  const { state } = life;
  switch (input.kind) {
    case "want":
      if (state.name === "idle") return dial(life, 0, settings, nowMs);
      // A feed that ended us by 204 is asked again, but at the pace of a failing one: wants may come in quick succession.
      return state.name === "ended" && LINK_REASONS[state.reason].verdict === "end"
        ? wait(life, state.reason, null, state.attempt, settings, nowMs, random)
        : stay(life);
    case "stop":
      return stop(life, input.reason, nowMs);
    case "opened":
      return state.name === "connecting" && input.generation === life.generation
        ? open(life, state.attempt, settings, nowMs, random)
        : stay(life);
    case "failed":
      return isUnderWay(state) && input.generation === life.generation
        ? fail(life, state, input.reason, input.retryAfterMs, settings, nowMs, random)
        : stay(life);
    case "retry":
      return input.generation === life.generation
        ? stay({ ...life, retryMs: clamp(input.retryMs, settings.retry.minMs, settings.retry.maxMs) })
        : stay(life);
    case "hold":
      return waitUntil(life, input.untilMs);
    case "hurry": {
      if (state.name !== "waiting" || state.untilMs > nowMs + settings.retry.maxMs) return stay(life);
      return waitUntil(life, nowMs + input.withinMs * random());
    }
    case "due":
      return due(life, input.phase, input.lastByteMs, settings, nowMs, random);
  }
}

/** When the next attempt starts, or null when none is waited for. */
export function nextAttemptAtMs(state: LinkState): number | null {
  return state.name === "waiting" || state.name === "rejected" ? state.untilMs : null;
}

function dial(life: LinkLife, attempt: number, settings: LinkLifeSettings, nowMs: number): LinkStep {
  const generation = life.generation + 1;
  return [
    { ...life, generation, state: { name: "connecting", attempt, sinceMs: nowMs } },
    [
      { do: "arm", atMs: nowMs + settings.health.connectTimeoutMs },
      { do: "dial", generation },
    ],
  ];
}

function open(
  life: LinkLife,
  attempt: number,
  settings: LinkLifeSettings,
  nowMs: number,
  random: Random,
): LinkStep {
  const { idleTimeoutMs, rotateAfterMs } = settings.health;
  const ageDueMs =
    rotateAfterMs > 0 ? nowMs + rotateAfterMs * (1 - random() * ROTATION_SPREAD) : Number.POSITIVE_INFINITY;
  return [
    { ...life, state: { name: "open", attempt, sinceMs: nowMs, ageDueMs } },
    [{ do: "arm", atMs: Math.min(nowMs + idleTimeoutMs, ageDueMs) }],
  ];
}

function fail(
  life: LinkLife,
  state: Extract<LinkState, { name: "connecting" | "open" }>,
  reason: LinkReason,
  retryAfterMs: number | null,
  settings: LinkLifeSettings,
  nowMs: number,
  random: Random,
): LinkStep {
  const wasOpen = state.name === "open";
  const livedMs = nowMs - state.sinceMs;
  const attempt = wasOpen && livedMs >= settings.retry.resetAfterMs ? 0 : state.attempt;
  const report: LinkAction = { do: "report", reason, wasOpen, livedMs };
  if (LINK_REASONS[reason].verdict === "end") {
    return [
      { ...life, state: { name: "ended", attempt, sinceMs: nowMs, reason } },
      [{ do: "disarm" }, report],
    ];
  }
  const [next, actions] = wait(life, reason, retryAfterMs, attempt, settings, nowMs, random);
  return [next, [...actions, report]];
}

function wait(
  life: LinkLife,
  reason: LinkReason,
  retryAfterMs: number | null,
  attempt: number,
  settings: LinkLifeSettings,
  nowMs: number,
  random: Random,
): LinkStep {
  const rejected = LINK_REASONS[reason].verdict === "reject";
  const bounds: BackoffBounds = { minMs: life.retryMs, maxMs: settings.retry.maxMs };
  // Rejected: the widest window, its lower half left out, since a refusal is no passing fault. Retry-After comes
  // before the jitter: a floor alone would bring every link back in the same instant.
  const delayMs = rejected
    ? (0.5 + random() * 0.5) * settings.retry.maxMs
    : backoffMs(attempt, bounds, random);
  const floorMs = clamp(retryAfterMs ?? 0, 0, RETRY_AFTER_MS_MAX);
  const untilMs = nowMs + floorMs + delayMs;
  return [
    {
      ...life,
      state: {
        name: rejected ? "rejected" : "waiting",
        attempt: attempt + 1,
        sinceMs: nowMs,
        untilMs,
        reason,
      },
    },
    [{ do: "arm", atMs: untilMs }],
  ];
}

function waitUntil(life: LinkLife, untilMs: number): LinkStep {
  const { state } = life;
  if (state.name !== "waiting") return stay(life);
  return [{ ...life, state: { ...state, untilMs } }, [{ do: "arm", atMs: untilMs }]];
}

function stop(life: LinkLife, reason: LinkReason, nowMs: number): LinkStep {
  const { state } = life;
  if (state.name === "ended" && LINK_REASONS[state.reason].verdict !== "end") return stay(life);
  const ended: LinkState = {
    name: "ended",
    attempt: state.name === "idle" ? 0 : state.attempt,
    sinceMs: nowMs,
    reason,
  };
  const actions: LinkAction[] = [{ do: "disarm" }];
  if (isUnderWay(state)) {
    actions.push(
      { do: "abort", reason },
      { do: "report", reason, wasOpen: state.name === "open", livedMs: nowMs - state.sinceMs },
    );
  }
  return [{ ...life, state: ended }, actions];
}

function due(
  life: LinkLife,
  phase: DialPhase,
  lastByteMs: number,
  settings: LinkLifeSettings,
  nowMs: number,
  random: Random,
): LinkStep {
  const { state } = life;
  switch (state.name) {
    case "connecting": {
      const deadlineMs = state.sinceMs + settings.health.connectTimeoutMs;
      return nowMs < deadlineMs
        ? [life, [{ do: "arm", atMs: deadlineMs }]]
        : abort(life, state, TIMEOUT_REASONS[phase], settings, nowMs, random);
    }
    case "open": {
      const idleDueMs = Math.max(lastByteMs, state.sinceMs) + settings.health.idleTimeoutMs;
      if (nowMs >= idleDueMs) return abort(life, state, "idle_timeout", settings, nowMs, random);
      const aged = nowMs >= state.ageDueMs;
      const ageDueMs = aged ? Number.POSITIVE_INFINITY : state.ageDueMs;
      const arm: LinkAction = { do: "arm", atMs: Math.min(idleDueMs, ageDueMs) };
      return aged ? [{ ...life, state: { ...state, ageDueMs } }, [arm, { do: "aged" }]] : [life, [arm]];
    }
    case "waiting":
    case "rejected":
      return nowMs < state.untilMs
        ? [life, [{ do: "arm", atMs: state.untilMs }]]
        : dial(life, state.attempt, settings, nowMs);
    default:
      return stay(life);
  }
}

function abort(
  life: LinkLife,
  state: Extract<LinkState, { name: "connecting" | "open" }>,
  reason: LinkReason,
  settings: LinkLifeSettings,
  nowMs: number,
  random: Random,
): LinkStep {
  const [next, actions] = fail(life, state, reason, null, settings, nowMs, random);
  return [next, [{ do: "abort", reason }, ...actions]];
}

function isUnderWay(state: LinkState): state is Extract<LinkState, { name: "connecting" | "open" }> {
  return state.name === "connecting" || state.name === "open";
}

function stay(life: LinkLife): LinkStep {
  return [life, []];
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
