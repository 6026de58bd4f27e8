/**
 * A soak: a real gateway in a process of its own, a feed behind a proxy that breaks links, clients by the hundred a
 * second, through phases that a seed gives; every promise checked by what was published and what was received.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Clock } from "#base/clock.ts";
import { Journal } from "./journal.ts";
import type { SoakOptions, SoakRecord, SoakSettings } from "./record.ts";
import { Sitting } from "./sitting.ts";

/** The directory holds another run, or none. */
export class SoakDirectoryError extends Error {}

/** @throws SoakDirectoryError */
export async function runSoak(given: SoakOptions, clock: Clock): Promise<SoakRecord> {
  const options = { ...given, dir: resolve(given.dir) };
  const { dir, resume } = options;
  mkdirSync(dir, { recursive: true });
  const settingsFile = join(dir, "run.json");
  if (resume !== existsSync(settingsFile)) {
    throw resume
      ? new SoakDirectoryError(`${dir} holds no run to resume`)
      : new SoakDirectoryError(`${dir} holds a run: --resume it, or name another --dir`);
  }
  const { durationMs, compress, seed, seedLeak } = options;
  const stored = resume
    ? (JSON.parse(readFileSync(settingsFile, "utf8")) as { settings: SoakSettings; startedAtMs: number })
    : { settings: { durationMs, compress, seed, seedLeak }, startedAtMs: clock.nowMs() };
  if (!resume) writeFileSync(settingsFile, `${JSON.stringify(stored, null, 2)}\n`);
  using journal = Journal.open(join(dir, "samples.jsonl"), resume);
  await using sitting = await Sitting.open(options, stored.settings, journal, clock);
  const end = await sitting.run();
  return {
    ...end,
    settings: stored.settings,
    startedAtMs: stored.startedAtMs,
    lines: journal.lines,
    totals: sitting.totals,
    broken: sitting.broken,
    pairs: sitting.pairs,
    warmUpMs: sitting.warmUpMs,
  };
}
