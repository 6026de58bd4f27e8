import type { HeapSnapshot } from "./heap-snapshot.ts";
import { type GrownHolder, grownHolders, type HeldHeap, MACHINERY } from "./holders.ts";
import { className, RetainingPaths } from "./retaining-path.ts";

/** What there is more of, and what holds it. */
export interface Growth {
  readonly holders: readonly GrownHolder[];
  readonly classes: readonly GrownClass[];
}

/** A class of which there are more than there were, and what holds the new ones. */
export interface GrownClass {
  readonly name: string;
  /** How many more there are, and their own bytes. */
  readonly count: number;
  readonly bytes: number;
  /** Ways on which they are held, those first that hold the most more than they did, each with how many more. */
  readonly retainers: readonly { readonly count: number; readonly steps: readonly string[] }[];
}

/** Classes that are reported, and ways that are told for each. */
const CLASSES_MAX = 8;
const RETAINERS_MAX = 2;
/** Steps at the end of a way by which it is told from others. */
const END_STEPS = 5;

/** By themselves they say nothing: most are names and texts of code that is compiled, and come and go with it. */
const STRINGS = "(string)";

/**
 * What grew between two snapshots of a process: classes with at least so many more objects, the most first, and what holds
 * these. What comes and goes is as much in the one as in the other, on each way on which it is held. Pure.
 *
 * @param least fewer are the ups and downs of what is alive
 */
export function growthBetween(before: HeapSnapshot, after: HeapSnapshot, least: number): Growth {
  const was = countClasses(before);
  const is = countClasses(after);
  const all = [...is]
    .map(([name, { count, bytes }]) => ({
      name,
      count: count - (was.get(name)?.count ?? 0),
      bytes: bytes - (was.get(name)?.bytes ?? 0),
    }))
    .filter(({ count }) => count >= least);
  const grown = all
    .filter(({ name }) => !MACHINERY.has(name) && name !== STRINGS)
    .sort((a, b) => b.count - a.count || b.bytes - a.bytes)
    .slice(0, CLASSES_MAX);
  if (all.length === 0) return { holders: [], classes: [] };
  const heldBefore = { heap: before, paths: new RetainingPaths(before) };
  const held = { heap: after, paths: new RetainingPaths(after) };
  const names = new Set(grown.map(({ name }) => name));
  const wereHeld = waysOf(heldBefore, names);
  const areHeld = waysOf(held, names);
  return {
    holders: grownHolders(heldBefore, held, least, new Map(all.map(({ name, count }) => [name, count]))),
    classes: grown.map((one) => ({
      ...one,
      retainers: grownWays(wereHeld.get(one.name), areHeld.get(one.name)),
    })),
  };
}

interface Way {
  count: number;
  /** One of the whole ways that end alike. */
  readonly steps: readonly string[];
}
type Ways = Map<string, Way>;

/** The ways on which more objects are held than were, the most first. */
function grownWays(before: Ways = new Map(), after: Ways = new Map()): GrownClass["retainers"] {
  return [...after]
    .map(([end, { count, steps }]) => ({ count: count - (before.get(end)?.count ?? 0), steps }))
    .filter(({ count }) => count > 0)
    .sort((a, b) => b.count - a.count)
    .slice(0, RETAINERS_MAX);
}

/** Of some classes: how many objects are held on each way. Ways are told apart by their ends: their beginnings vary. */
function waysOf({ heap, paths }: HeldHeap, names: ReadonlySet<string>): Map<string, Ways> {
  const ways = new Map([...names].map((name): [string, Ways] => [name, new Map()]));
  for (let node = 0; node < heap.nodeCount; node++) {
    const ofClass = ways.get(className(heap, node));
    if (ofClass === undefined) continue;
    const steps = paths.pathTo(node);
    const end = steps.slice(-END_STEPS).join("\n");
    const way = ofClass.get(end);
    if (way === undefined) ofClass.set(end, { count: 1, steps });
    else way.count++;
  }
  return ways;
}

function countClasses(heap: HeapSnapshot): Map<string, { count: number; bytes: number }> {
  const classes = new Map<string, { count: number; bytes: number }>();
  for (let node = 0; node < heap.nodeCount; node++) {
    const name = className(heap, node);
    const entry = classes.get(name);
    const bytes = heap.selfSize[node] as number;
    if (entry === undefined) classes.set(name, { count: 1, bytes });
    else {
      entry.count++;
      entry.bytes += bytes;
    }
  }
  return classes;
}
