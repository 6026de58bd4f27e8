import type { InsideSample } from "../leaks/door-protocol.ts";
import { LOOKS_MIN, type Look } from "../leaks/suspicion.ts";
import type { OutsideSample } from "./descriptors.ts";
import type { FleetTally } from "./fleet-tally.ts";
import type { PhaseKind } from "./plan.ts";

/** Sums over all lives of the gateway and all sittings of the run. */
export interface Totals {
  /** Connections by the gateway's own count. */
  readonly opened: number;
  readonly closed: number;
  /** Faults done to links, outages and bad answers included. */
  readonly faults: number;
  /** Events of the feed, and those published and confirmed. */
  readonly events: number;
  readonly published: number;
  readonly gapsUpstream: number;
  readonly fleet: FleetTally;
}

/** One line of a run's samples. */
export interface Sample {
  readonly kind: "sample";
  /** Since the run's start, in milliseconds. */
  readonly atMs: number;
  readonly phase: PhaseKind;
  /** Which life of the gateway it is, from 1, and for how long it has lived, in milliseconds. */
  readonly life: number;
  readonly lifeMs: number;
  readonly isTls: boolean;
  readonly totals: Totals;
  readonly inside: InsideSample;
  readonly outside: OutsideSample | null;
  /** As `/metrics` says. */
  readonly metrics: {
    readonly connections: number;
    readonly links: number;
    readonly reclaimed: number;
    readonly memoryStep: number;
    readonly queueBytes: number;
    readonly logBytes: number;
  };
  /** As the feed counts. */
  readonly links: number;
  /** Visitors and witnesses that are up. */
  readonly visitors: number;
  readonly witnesses: number;
}

/** Something that happened at a time: what the run did, found or broke. */
export interface Note {
  readonly kind: "note";
  readonly atMs: number;
  readonly what:
    | "phase"
    | "life"
    | "broken"
    | "suspicion"
    | "snapshots"
    | "pair"
    | "extended"
    | "resumed"
    | "end";
  readonly text: string;
}

export type Line = Sample | Note;

/** Memory after a forced collection, as an amount of a look. */
export const COLLECTED = "bytes:collected";

/** What of a sample is looked at for leaks. */
export function lookOf({ lifeMs, inside, outside, links }: Sample): Look {
  const { heapUsed, external, malloced, books, opened, resources, classes } = inside;
  const amounts: Record<string, number> = { [COLLECTED]: heapUsed + external + malloced };
  for (const [kind, count] of Object.entries(outside?.descriptors ?? {}))
    amounts[`descriptors:${kind}`] = count;
  for (const [kind, count] of Object.entries(resources)) amounts[`handles:${kind}`] = count;
  for (const [name, count] of Object.entries(books)) amounts[`books:${name}`] = count;
  for (const [name, count] of Object.entries(classes)) amounts[`objects:${name}`] = count;
  amounts["feed:links"] = links;
  return { atMs: lifeMs, opened, connected: books.sockets ?? 0, amounts };
}

/** Samples of a life of the gateway that has warmed up: compiled its code, filled its log and caches. */
export function warmed(samples: readonly Sample[], warmUpMs: number): Sample[] {
  return samples.filter(({ lifeMs }) => lifeMs >= warmUpMs);
}

/** A shorter part of a long run is not judged, and a shorter run by its heap snapshots: its ups and downs are no trend. */
export const LIFE_MS_MIN = 8 * 60_000;
const LIFE_SHARE_MIN = 0.4;

/** The lives of a run that are long enough to be judged, each without what it did to warm up. */
export function judgedLives(samples: readonly Sample[], tookMs: number, warmUpMs: number): Sample[][] {
  const leastMs = Math.min(LIFE_MS_MIN, tookMs * LIFE_SHARE_MIN);
  return livesOf(samples)
    .map((life) => warmed(life, warmUpMs))
    .filter((life) => life.length >= LOOKS_MIN && lengthMs(life) >= leastMs);
}

export function lengthMs(life: readonly Sample[]): number {
  return (life.at(-1)?.lifeMs ?? 0) - (life[0]?.lifeMs ?? 0);
}

/** Samples by the gateway's life, in order. */
function livesOf(samples: readonly Sample[]): Sample[][] {
  const lives = new Map<number, Sample[]>();
  for (const sample of samples) {
    const life = lives.get(sample.life);
    if (life === undefined) lives.set(sample.life, [sample]);
    else life.push(sample);
  }
  return [...lives.values()];
}
