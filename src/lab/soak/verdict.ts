import type { GrownHolder } from "../leaks/holders.ts";
import { pooled, type Slope, slopeOf } from "../leaks/regression.ts";
import type { GrownClass } from "../leaks/snapshot-diff.ts";
import { growthText, type Suspicion, seriesOf } from "../leaks/suspicion.ts";
import { PROMISES, type PromiseName } from "./checks.ts";
import { growthIn } from "./growth.ts";
import type { SoakRecord } from "./record.ts";
import { COLLECTED, judgedLives, LIFE_MS_MIN, lengthMs, lookOf, type Sample } from "./sample.ts";

/** What was read in a pair of heap snapshots. */
export interface Finding {
  /** Of the gateway, in which both were taken. */
  readonly life: number;
  readonly suspected: readonly string[];
  /** Opened between the two. */
  readonly connections: number;
  /** What holds more than it did. A leak shows here as one thing, whatever hangs from it. */
  readonly holders: readonly GrownHolder[];
  readonly grown: readonly GrownClass[];
  /** Why the snapshots could not be read; null: they were. */
  readonly trouble: string | null;
}

export interface PromiseVerdict {
  readonly promise: PromiseName;
  readonly text: string;
  readonly times: number;
  /** The first of the times that it was broken. */
  readonly examples: readonly string[];
}

export interface Verdict {
  readonly ok: boolean;
  readonly promises: readonly PromiseVerdict[];
  /** Memory after a forced collection, in bytes a second, over all lives that were long enough; null: none was. */
  readonly memory: Slope | null;
  /** Resident memory, the same. It says how the system sees it, and is noisier. */
  readonly resident: Slope | null;
  /** Connections a second, over the same samples. */
  readonly connectionsPerSecond: number;
  /** What grew in each life, over the whole of it. */
  readonly suspicions: readonly Suspicion[];
  readonly findings: readonly Finding[];
}

const EXAMPLES_MAX = 20;

/** Judges a run. Pure. */
export function judge(record: SoakRecord, findings: readonly Finding[]): Verdict {
  const samples = record.lines.filter((line) => line.kind === "sample");
  const lives = judgedLives(samples, record.tookMs, record.warmUpMs);
  // Of a short life heap snapshots say more than a slope of all memory: what fills and settles in it is larger than leaks.
  const isAcquitted = (life: readonly Sample[]) => {
    const own = findings.filter((finding) => finding.life === life[0]?.life);
    return (
      own.length > 0 &&
      own.every(({ holders, grown, trouble }) => holders.length + grown.length === 0 && trouble === null)
    );
  };
  const grown = lives.flatMap((life) =>
    growthIn(life).filter(
      ({ what }) => !(what === COLLECTED && lengthMs(life) < LIFE_MS_MIN && isAcquitted(life)),
    ),
  );
  // What holds it says the most. A leak of large objects makes dozens of classes and series grow.
  const leaks = [
    ...findings.flatMap((finding) => finding.holders.map((one) => holderText(one, finding.connections))),
    ...grown.map((one) => `${one.what} grew by ${growthText(one, one.slope.slope)}`),
    ...findings.flatMap(({ trouble }) =>
      trouble === null ? [] : [`something was suspected, and the heap snapshots can't be read: ${trouble}`],
    ),
    ...findings.flatMap((finding) => finding.grown.map((one) => leakText(one, finding.connections))),
  ];
  const promises = Object.entries(PROMISES).map(([name, text]): PromiseVerdict => {
    const promise = name as PromiseName;
    const details = record.broken.filter((one) => one.promise === promise).map(({ detail }) => detail);
    if (promise === "leaks") details.push(...leaks);
    return { promise, text, times: details.length, examples: details.slice(0, EXAMPLES_MAX) };
  });
  return {
    ok: record.failure === null && promises.every(({ times }) => times === 0),
    promises,
    memory: slopeOver(lives, (life) => seriesOf(life.map(lookOf), COLLECTED)),
    resident: slopeOver(lives, (life) =>
      beforeSnapshots(life, record).flatMap(({ lifeMs, outside }) =>
        outside === null ? [] : [[lifeMs / 1000, outside.rssBytes] as const],
      ),
    ),
    connectionsPerSecond: turnoverOf(lives),
    suspicions: grown,
    findings,
  };
}

/** One line that names what nobody empties, and what piles up there. */
function holderText({ steps, count, objects, bytes, heaviest }: GrownHolder, connections: number): string {
  const beyond = heaviest.length === 0 ? "" : `; most of it on ${heaviest.join(" ")}`;
  return `${count} more are held by ${steps.join(" ")}: ${bytes} bytes in ${objects} objects after ${connections} connections${beyond}`;
}

/** One line that names what leaks: how many more a connection, and what holds them. */
function leakText({ name, count, retainers }: GrownClass, connections: number): string {
  const held = retainers[0]?.steps.join(" ") ?? "no way was found";
  return `${count} more of ${name} after ${connections} connections, held by ${held}`;
}

function slopeOver(
  lives: readonly (readonly Sample[])[],
  series: (life: readonly Sample[]) => readonly (readonly [number, number])[],
): Slope | null {
  return pooled(lives.map((life) => slopeOf(series(life))).filter((slope) => slope !== null));
}

/** A snapshot takes memory many times the heap's, which the system keeps giving the process. */
function beforeSnapshots(life: readonly Sample[], { lines }: SoakRecord): readonly Sample[] {
  const first = life[0]?.atMs ?? 0;
  const snapshot = lines.find(
    (line) => line.kind === "note" && line.what === "snapshots" && line.atMs >= first,
  );
  return snapshot === undefined ? life : life.filter(({ atMs }) => atMs <= snapshot.atMs);
}

function turnoverOf(lives: readonly (readonly Sample[])[]): number {
  let opened = 0;
  let seconds = 0;
  for (const life of lives) {
    const [first, last] = [life[0], life.at(-1)];
    if (first === undefined || last === undefined) continue;
    opened += last.inside.opened - first.inside.opened;
    seconds += (last.lifeMs - first.lifeMs) / 1000;
  }
  return seconds > 0 ? opened / seconds : 0;
}
