import { DAY_MS, type Fault, planOf } from "./plan.ts";
import { scenarioOf } from "./scenario.ts";
import { type RunOutcome, type RunSettings, simulate } from "./simulation.ts";

/** Runs tried at most. */
const TRIES_MAX = 120;

/** A run that fails like another one, with less in it. */
export interface Shrunk {
  readonly settings: RunSettings;
  readonly outcome: RunOutcome;
  /** Runs that were tried. */
  readonly tries: number;
  /** Its faults, in order. */
  readonly faults: readonly Fault[];
}

export interface ShrinkOptions {
  /** How a run is made. Default: `simulate`. */
  readonly run?: (settings: RunSettings) => Promise<RunOutcome>;
  /** Ends it, in the middle of a run too, with the smallest that was found by then. */
  readonly signal?: AbortSignal;
  /** Told after each run how many were tried, and how many faults the smallest has that fails. */
  readonly onTry?: (tries: number, faults: number) => void;
}

/**
 * Makes a failing run smaller for as long as it still breaks the same promise: shorter, with fewer faults, clients and
 * feeds. What is left is mostly what it takes.
 */
export async function shrink(
  settings: RunSettings,
  failed: RunOutcome,
  { run = simulate, signal, onTry }: ShrinkOptions = {},
): Promise<Shrunk> {
  const { seed } = settings;
  const scenario = scenarioOf(seed);
  let best = { settings, outcome: failed };
  let tries = 0;
  const attempt = async (candidate: RunSettings): Promise<boolean> => {
    if (tries >= TRIES_MAX || signal?.aborted) return false;
    tries++;
    // A shorter run's plan has fewer faults, and a replay that names others would be refused.
    const count = planOf(seed, candidate.days, scenario).length;
    const faults = candidate.faults?.filter((at) => at < count);
    const outcome = await runOrNull({ ...candidate, faults, signal });
    const isSmaller = outcome !== null && outcome.broken?.promise === failed.broken?.promise;
    if (isSmaller) best = { settings: { ...candidate, faults }, outcome };
    onTry?.(tries, best.outcome.faults);
    return isSmaller;
  };
  const runOrNull = async (candidate: RunSettings): Promise<RunOutcome | null> => {
    try {
      return await run(candidate);
    } catch (thrown) {
      if (signal?.aborted) return null;
      throw thrown;
    }
  };
  await attempt({ ...best.settings, days: daysOf(best.outcome, best.settings.days) });
  let faults = [...(best.settings.faults ?? planOf(seed, best.settings.days, scenario).keys())];
  await attempt({ ...best.settings, faults });
  for (let size = Math.ceil(faults.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < faults.length; ) {
      const fewer = faults.toSpliced(at, size);
      if (await attempt({ ...best.settings, faults: fewer })) faults = fewer;
      else at += size;
    }
  }
  for (const part of ["clients", "feeds"] as const) {
    const all = scenario[part].length;
    for (let count = 1; count < (best.settings[part] ?? all); count++) {
      if (await attempt({ ...best.settings, [part]: count })) break;
    }
  }
  await attempt({ ...best.settings, days: daysOf(best.outcome, best.settings.days) });
  const plan = planOf(seed, best.settings.days, scenario);
  const left = new Set(best.settings.faults ?? plan.keys());
  return { ...best, tries, faults: plan.filter((_, at) => left.has(at)) };
}

/** Most faults that `faults` may number: those of the plan. */
export function faultsOf({ seed, days }: RunSettings): number {
  return planOf(seed, days, scenarioOf(seed)).length;
}

/** How it is told on the command line. */
export function replayOf({ seed, days, faults, clients, feeds }: RunSettings): string {
  const words = ["streamkeeper simulate", `--seed ${seed}`, `--days ${days}`];
  if (faults !== undefined) words.push(`--faults ${faults.length === 0 ? "none" : faults.join(",")}`);
  if (clients !== undefined) words.push(`--clients ${clients}`);
  if (feeds !== undefined) words.push(`--feeds ${feeds}`);
  return words.join(" ");
}

/** As long as it takes to fail, and not longer than before. What broke in the end needs the whole. */
function daysOf({ broken }: RunOutcome, days: number): number {
  if (broken === null || broken.atMs >= days * DAY_MS) return days;
  return Math.min(days, Math.ceil((broken.atMs / DAY_MS) * 10_000 + 1) / 10_000);
}
