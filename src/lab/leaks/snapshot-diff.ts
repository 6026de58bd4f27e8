import type { HeapSnapshot } from "./heap-snapshot.ts";
import { className, RetainingPaths } from "./retaining-path.ts";

/** A class of which there are more than there were, and what holds the new ones. */
export interface GrownClass {
  readonly name: string;
  /** How many more there are, and their own bytes. */
  readonly count: number;
  readonly bytes: number;
  /** Ways on which the new ones are held, the commonest first, each with how many of those looked at it holds. */
  readonly retainers: readonly { readonly count: number; readonly steps: readonly string[] }[];
}

/** Classes that are reported, new objects that are looked at for each, and ways that are told. */
const CLASSES_MAX = 8;
const LOOKED_AT_MAX = 400;
const RETAINERS_MAX = 2;

/** Kinds that come and go with the compiler and the collector, and never because of what a program holds. */
const MACHINERY = new Set(["(code)", "(hidden)", "(object shape)", "(synthetic)", "(number)", "(string)"]);

/**
 * What grew between two snapshots of a process: classes with at least so many more objects, the most first. V8 numbers
 * objects in the order in which snapshots meet them, so those of the second with a higher number than any in the first
 * are new. Pure.
 *
 * @param least fewer are the ups and downs of what is alive
 */
export function grownClasses(before: HeapSnapshot, after: HeapSnapshot, least: number): GrownClass[] {
  const lastId = before.id.reduce((highest, id) => Math.max(highest, id), 0);
  const was = countClasses(before);
  const is = countClasses(after);
  const grown = [...is]
    .map(([name, { count, bytes }]) => ({
      name,
      count: count - (was.get(name)?.count ?? 0),
      bytes: bytes - (was.get(name)?.bytes ?? 0),
    }))
    .filter(({ name, count }) => count >= least && !MACHINERY.has(name))
    .sort((a, b) => b.count - a.count || b.bytes - a.bytes)
    .slice(0, CLASSES_MAX);
  if (grown.length === 0) return [];
  const fresh = new Map(grown.map(({ name }) => [name, [] as number[]]));
  for (let node = 0; node < after.nodeCount; node++) {
    if ((after.id[node] as number) <= lastId) continue;
    fresh.get(className(after, node))?.push(node);
  }
  const paths = new RetainingPaths(after);
  return grown.map((one) => ({ ...one, retainers: retainersOf(paths, fresh.get(one.name) ?? []) }));
}

function retainersOf(paths: RetainingPaths, nodes: readonly number[]): GrownClass["retainers"] {
  // From all over: the newest may be alive by right.
  const every = Math.max(1, Math.floor(nodes.length / LOOKED_AT_MAX));
  const ways = new Map<string, { count: number; steps: string[] }>();
  for (let at = 0; at < nodes.length; at += every) {
    const steps = paths.pathTo(nodes[at] as number);
    const key = steps.join("\n");
    const way = ways.get(key);
    if (way === undefined) ways.set(key, { count: 1, steps });
    else way.count++;
  }
  return [...ways.values()].sort((a, b) => b.count - a.count).slice(0, RETAINERS_MAX);
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
