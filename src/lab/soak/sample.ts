import type { InsideSample } from "../leaks/door-protocol.ts";
import type { Look } from "../leaks/suspicion.ts";
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
  readonly what: "phase" | "life" | "broken" | "suspicion" | "snapshots" | "resumed" | "end";
  readonly text: string;
}

export type Line = Sample | Note;

/** What of a sample is looked at for leaks. */
export function lookOf({ lifeMs, inside, outside, links }: Sample): Look {
  const { heapUsed, external, malloced, books, opened, resources, classes } = inside;
  const amounts: Record<string, number> = { "bytes:collected": heapUsed + external + malloced };
  for (const [kind, count] of Object.entries(outside?.descriptors ?? {}))
    amounts[`descriptors:${kind}`] = count;
  for (const [kind, count] of Object.entries(resources)) amounts[`handles:${kind}`] = count;
  for (const [name, count] of Object.entries(books)) amounts[`books:${name}`] = count;
  for (const [name, count] of Object.entries(classes)) amounts[`objects:${name}`] = count;
  amounts["feed:links"] = links;
  return { atMs: lifeMs, opened, amounts };
}

/** Samples of a life of the gateway that has warmed up: compiled its code, filled its log and caches. */
export function warmed(samples: readonly Sample[], warmUpMs: number): Sample[] {
  return samples.filter(({ lifeMs }) => lifeMs >= warmUpMs);
}

/** Samples by the gateway's life, in order. */
export function livesOf(samples: readonly Sample[]): Sample[][] {
  const lives = new Map<number, Sample[]>();
  for (const sample of samples) {
    const life = lives.get(sample.life);
    if (life === undefined) lives.set(sample.life, [sample]);
    else life.push(sample);
  }
  return [...lives.values()];
}
