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

/**
 * Makes a failing run smaller for as long as it still breaks the same promise: shorter, with fewer faults, clients and
 * feeds. What is left is mostly what it takes.
 *
 * @param run how a run is made; default: `simulate`
 */
export async function shrink(
  settings: RunSettings,
  failed: RunOutcome,
  run: (settings: RunSettings) => Promise<RunOutcome> = simulate,
): Promise<Shrunk> {
  let best = { settings, outcome: failed };
  let tries = 0;
  const attempt = async (candidate: RunSettings): Promise<boolean> => {
    if (tries >= TRIES_MAX) return false;
    tries++;
    const outcome = await run(candidate);
    if (outcome.broken?.promise !== failed.broken?.promise) return false;
    best = { settings: candidate, outcome };
    return true;
  };
  const { seed } = settings;
  const scenario = scenarioOf(seed);
  await attempt({ ...best.settings, days: daysOf(best.outcome, best.settings.days) });
  const plan = planOf(seed, best.settings.days, scenario);
  let faults = [...(best.settings.faults ?? plan.keys())].filter((at) => at < plan.length);
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
  const left = new Set(best.settings.faults ?? plan.keys());
  return { ...best, tries, faults: plan.filter((_, at) => left.has(at)) };
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
