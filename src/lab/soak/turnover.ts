import type { PhaseKind } from "./plan.ts";

/** Connections that come in a second of ordinary life; `compress` multiplies it. */
const CONNECTIONS_PER_SECOND = 8.6;
const FACTORS: Partial<Record<PhaseKind, number>> = {
  churn: 1.35,
  flood: 0.8,
  calm: 0,
  drain: 0.3,
  drain_to_tls: 0.3,
  crash: 0.3,
};
/** TLS handshakes cost both sides many times what the rest of a connection does. */
const TLS_FACTOR = 0.25;
/** What was missed is made up for by so much at most. */
const FASTEST_FACTOR = 2;

export interface TurnoverState {
  readonly durationMs: number;
  readonly compress: number;
  /** Since the run's start. */
  readonly atMs: number;
  /** Connections begun so far. */
  readonly begun: number;
  readonly phase: PhaseKind;
  readonly isTls: boolean;
}

/** How many connections should come in a second now, so that all are there at the end. Pure. */
export function turnoverPerSecond({
  durationMs,
  compress,
  atMs,
  begun,
  phase,
  isTls,
}: TurnoverState): number {
  const usual = CONNECTIONS_PER_SECOND * compress;
  const factor = (FACTORS[phase] ?? 1) * (isTls ? TLS_FACTOR : 1);
  // Past its time a run makes up for nothing.
  if (atMs >= durationMs) return usual * factor;
  const wanted = (usual * durationMs) / 1000;
  const leftS = Math.max(1, (durationMs - atMs) / 1000);
  const needed = Math.min(usual * FASTEST_FACTOR, Math.max(0, wanted - begun) / leftS);
  return needed * factor;
}
