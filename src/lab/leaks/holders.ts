import type { HeapSnapshot } from "./heap-snapshot.ts";
import { className, type RetainingPaths } from "./retaining-path.ts";

/** Something that was there before and holds more than it did. */
export interface GrownHolder {
  /** The way from the roots to the holder, and beyond it to what it holds more of. */
  readonly steps: readonly string[];
  /** How many more of that it holds. */
  readonly count: number;
  /** With all that hangs from them: objects, and bytes. */
  readonly objects: number;
  readonly bytes: number;
  /** The steps beyond, on which most of these bytes hang. */
  readonly heaviest: readonly string[];
}

/** A heap, and the ways on which it is held. */
export interface HeldHeap {
  readonly heap: HeapSnapshot;
  readonly paths: RetainingPaths;
}

const HOLDERS_MAX = 4;
/** Steps beyond that are told, as long as each leads to so large a share of the bytes. */
const HEAVIEST_MAX = 4;
const HEAVIEST_SHARE = 0.3;
/** Steps from a holder that are told apart; what hangs deeper counts to the last of them. */
const DEPTH_MAX = 10;

/** Kinds that come and go with the compiler and the collector, and never because of what a program holds. */
export const MACHINERY = new Set(["(code)", "(hidden)", "(object shape)", "(synthetic)", "(number)"]);

/**
 * Which of the things that are in both snapshots hold more than they did. A leaked object drags hundreds of others along,
 * whose classes say little; all of them are held through the one collection that nobody empties. So each object that is
 * new counts to the nearest one on its way from the root that is not, and each that is gone counts against it: what was
 * replaced by its like is none. Pure.
 *
 * @param least a holder has so many more things next to each other
 * @param classes how many more there are of each class, so that what only moved from one holder to another is none
 * @returns those that hold most bytes more first
 */
export function grownHolders(
  before: HeldHeap,
  after: HeldHeap,
  least: number,
  classes: ReadonlyMap<string, number>,
): GrownHolder[] {
  const holders = new Map<number, Branch>();
  count(after, new Set(before.heap.id), 1, holders);
  count(before, new Set(after.heap.id), -1, holders);
  const nodes = new Map<number, number>();
  after.heap.id.forEach((id, node) => void (holders.has(id) && nodes.set(id, node)));
  return [...holders]
    .flatMap(([id, holding]): GrownHolder[] => {
      const node = nodes.get(id);
      const pile = pileOf(holding, least, classes);
      if (pile === null || node === undefined || holding.bytes <= 0) return [];
      const { objects, bytes } = holding;
      const steps = [...after.paths.pathTo(node), ...stepsTo(pile)];
      return [{ steps, count: pile.count, objects, bytes, heaviest: heaviestBelow(pile) }];
    })
    .sort((a, b) => b.bytes - a.bytes)
    .slice(0, HOLDERS_MAX);
}

/** What more is held at the end of some steps from a holder. */
interface Branch {
  /** The last of these steps. */
  readonly step: string;
  readonly depth: number;
  /** Above; null: it is the holder. */
  readonly above: Branch | null;
  /** Things at the end of these very steps. */
  count: number;
  /** With all below: objects, and bytes. */
  objects: number;
  bytes: number;
  readonly below: Map<string, Branch>;
}

/** Adds what is in one heap and not in the other to what holds it. @param sign 1: it is new; -1: it is gone */
function count(
  { heap, paths }: HeldHeap,
  inTheOther: ReadonlySet<number>,
  sign: 1 | -1,
  holders: Map<number, Branch>,
): void {
  const branchOf = new Array<Branch | undefined>(heap.nodeCount);
  for (const node of paths.found) {
    if (inTheOther.has(heap.id[node] as number)) continue;
    const from = paths.before(node);
    const above = branchOf[from];
    const branch =
      above !== undefined && (paths.isRepeated(node) || above.depth >= DEPTH_MAX)
        ? above
        : branchAt(above ?? holderAt(heap.id[from] as number, holders), paths.stepTo(node));
    branchOf[node] = branch;
    if (MACHINERY.has(className(heap, node))) continue;
    const bytes = (heap.selfSize[node] as number) * sign;
    branch.count += sign;
    for (let at: Branch | null = branch; at !== null; at = at.above) {
      at.objects += sign;
      at.bytes += bytes;
    }
  }
}

function holderAt(id: number, holders: Map<number, Branch>): Branch {
  const known = holders.get(id);
  if (known !== undefined) return known;
  const holder = newBranch("", null);
  holders.set(id, holder);
  return holder;
}

function branchAt(above: Branch, step: string): Branch {
  const known = above.below.get(step);
  if (known !== undefined) return known;
  const branch = newBranch(step, above);
  above.below.set(step, branch);
  return branch;
}

function newBranch(step: string, above: Branch | null): Branch {
  const depth = above === null ? 0 : above.depth + 1;
  return { step, depth, above, count: 0, objects: 0, bytes: 0, below: new Map() };
}

/** The place nearest to a holder where things pile up of which there are more. */
function pileOf(holder: Branch, least: number, classes: ReadonlyMap<string, number>): Branch | null {
  for (let level = [...holder.below.values()]; level.length > 0; ) {
    const piles = level.filter(
      ({ count, step }) => count >= least && (classes.get(classOf(step)) ?? 0) >= least,
    );
    // A map's keys may be more bytes than what they are the keys of, and say less.
    const largest = largestOf(piles.filter(({ step }) => !classOf(step).startsWith("("))) ?? largestOf(piles);
    if (largest !== null) return largest;
    level = level.flatMap(({ below }) => [...below.values()]);
  }
  return null;
}

function heaviestBelow(pile: Branch): string[] {
  const steps: string[] = [];
  let at = largestOf([...pile.below.values()]);
  while (at !== null && steps.length < HEAVIEST_MAX && at.bytes >= pile.bytes * HEAVIEST_SHARE) {
    steps.push(at.step);
    at = largestOf([...at.below.values()]);
  }
  return steps;
}

function largestOf(branches: readonly Branch[]): Branch | null {
  return branches.reduce<Branch | null>(
    (largest, one) => (largest === null || one.bytes > largest.bytes ? one : largest),
    null,
  );
}

function stepsTo(branch: Branch): string[] {
  const steps: string[] = [];
  for (let at = branch; at.above !== null; at = at.above) steps.unshift(at.step);
  return steps;
}

function classOf(step: string): string {
  return step.slice(step.indexOf(" → ") + 3);
}
