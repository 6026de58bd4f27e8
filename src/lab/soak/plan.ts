import { seededRandom } from "#base/random.ts";

/** What a stretch of a soak does. Visitors come and go in each but `calm`. */
export type PhaseKind =
  /** Ordinary life, with faults of links all along. */
  | "steady"
  /** Events come many times faster. */
  | "flood"
  /** Connections come and go faster, and events slower. */
  | "churn"
  /** Links meet every kind of fault, often. */
  | "storm"
  /** The feed refuses connections, then comes back. */
  | "outage"
  /** SIGHUP with a changed configuration, and back. */
  | "reload"
  /** No faults, no visitors: every witness must have every event, and the books must be empty of others. */
  | "calm"
  /** Visitors come and go, and links meet no fault. Not in a plan: between two heap snapshots past its end. */
  | "visits"
  /** SIGTERM, and a new gateway: by plain TCP, or with TLS. */
  | "drain"
  | "drain_to_tls"
  /** SIGKILL, and a new gateway. */
  | "crash"
  /** With TLS: the certificate is renewed, SIGHUP. Without TLS as `reload`. */
  | "renew";

export interface Phase {
  readonly kind: PhaseKind;
  /** Since the run's start, in milliseconds. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface PlanOptions {
  readonly durationMs: number;
  readonly seed: number;
}

/** A run of less has no restarts, so that its memory is one series. */
const RESTARTS_FROM_MS = 10 * 60_000;
/** A cycle ends with restarts, and most of it goes without any. */
const CYCLE_MS = 30 * 60_000;
const RESTARTS_SHARE = 0.3;
/** Runs end in calm, so that the last loss shows. */
const END_MS = 15_000;

const MIX: readonly PhaseKind[] = [
  "steady",
  "flood",
  "churn",
  "storm",
  "outage",
  "reload",
  "steady",
  "churn",
];
const LENGTHS_MS: Readonly<Record<PhaseKind, readonly [number, number]>> = {
  steady: [15_000, 40_000],
  flood: [5000, 15_000],
  churn: [20_000, 50_000],
  storm: [15_000, 40_000],
  outage: [4000, 12_000],
  reload: [5000, 8000],
  calm: [4000, 6000],
  visits: [8000, 8000],
  drain: [10_000, 15_000],
  drain_to_tls: [10_000, 15_000],
  crash: [8000, 12_000],
  renew: [5000, 8000],
};

/** The phases of a run, without a hole between them. Pure: the same options give the same plan. */
export function planPhases({ durationMs, seed }: PlanOptions): Phase[] {
  const random = seededRandom(seed);
  const phases: Phase[] = [];
  // Short runs go through all of it too, in shorter phases.
  const scale = Math.min(1, durationMs / (8 * 60_000));
  let atMs = 0;
  const endMs = Math.max(0, durationMs - END_MS * Math.max(scale, 0.3));
  const add = (kind: PhaseKind) => {
    const [min, max] = LENGTHS_MS[kind];
    const toMs = Math.min(endMs, atMs + Math.round((min + random() * (max - min)) * Math.max(scale, 0.15)));
    if (toMs > atMs) phases.push({ kind, fromMs: atMs, toMs });
    atMs = toMs;
  };
  const addMix = (untilMs: number, reload: PhaseKind) => {
    while (atMs < untilMs) {
      for (const kind of shuffled(MIX, random)) if (atMs < untilMs) add(kind === "reload" ? reload : kind);
      if (atMs < untilMs) add("calm");
    }
  };
  while (atMs < endMs) {
    if (durationMs < RESTARTS_FROM_MS) {
      addMix(endMs, "reload");
      continue;
    }
    const cycleMs = Math.min(CYCLE_MS, endMs - atMs);
    const restartsFromMs = atMs + cycleMs * (1 - RESTARTS_SHARE);
    const partMs = (cycleMs * RESTARTS_SHARE) / RESTARTS.length;
    addMix(restartsFromMs, "reload");
    for (const [index, restart] of RESTARTS.entries()) {
      if (atMs >= endMs) break;
      add(restart);
      addMix(
        Math.min(endMs, restartsFromMs + (index + 1) * partMs),
        restart === "drain_to_tls" ? "renew" : "reload",
      );
    }
  }
  if (durationMs > endMs) phases.push({ kind: "calm", fromMs: endMs, toMs: durationMs });
  return phases;
}

const RESTARTS: readonly PhaseKind[] = ["drain", "crash", "drain_to_tls", "drain"];

function shuffled<Item>(items: readonly Item[], random: () => number): Item[] {
  const rest = [...items];
  return items.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0] as Item);
}
