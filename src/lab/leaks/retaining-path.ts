import type { HeapSnapshot } from "./heap-snapshot.ts";

/** Steps of a path that are shown; of a longer one the first and the last. */
const STEPS_MAX = 24;

/**
 * Why objects are alive: for any node the shortest way to it from the program's own roots, such as the global object,
 * or else from V8's. Weak edges hold nothing. Pure.
 */
export class RetainingPaths {
  readonly #heap: HeapSnapshot;
  /** Of each node: the edge that first led to it, and the node that it came from. */
  readonly #viaEdge: Int32Array;
  readonly #from: Int32Array;
  /** Of each node: where the run of equal steps that it ends began, as along a linked list; mostly itself. */
  readonly #runStart: Int32Array;
  #found: Uint32Array = new Uint32Array(0);

  constructor(heap: HeapSnapshot) {
    this.#heap = heap;
    this.#viaEdge = new Int32Array(heap.nodeCount).fill(-1);
    this.#from = new Int32Array(heap.nodeCount).fill(-1);
    this.#runStart = new Int32Array(heap.nodeCount);
    this.#search();
  }

  /** The path as text, a step each, the root first; steps that repeat, as along a linked list, become one. */
  pathTo(node: number): string[] {
    const steps: string[] = [];
    let at = node;
    // The root leads to itself by nothing.
    while (at > 0 && (this.#from[at] as number) >= 0) {
      const start = this.#runStart[at] as number;
      steps.push(start === at ? this.stepTo(at) : `${this.stepTo(at)} (repeated)`);
      at = this.#from[start] as number;
    }
    steps.reverse();
    if (steps.length <= STEPS_MAX) return steps;
    return [...steps.slice(0, STEPS_MAX / 2), "…", ...steps.slice(-STEPS_MAX / 2)];
  }

  /** The nodes that are held, in the order in which they are found: each after the one that leads to it. */
  get found(): Uint32Array {
    return this.#found;
  }

  /** The node from which the path leads to this one; 0 is the root. Of a node that is found. */
  before(node: number): number {
    return this.#from[node] as number;
  }

  /** Whether the step to a node that is found only goes on along a list. */
  isRepeated(node: number): boolean {
    return this.#runStart[node] !== node;
  }

  /** The last step of the path, as text. */
  stepTo(node: number): string {
    return `${this.#edgeText(this.#viaEdge[node] as number)} → ${className(this.#heap, node)}`;
  }

  #search(): void {
    const { edgeStart, edgeTo, nodeCount } = this.#heap;
    const queue = new Uint32Array(nodeCount);
    let head = 0;
    let tail = 0;
    const visit = (edge: number, from: number) => {
      const to = edgeTo[edge] as number;
      if (to === 0 || (this.#from[to] as number) >= 0 || !this.#holds(edge)) return;
      this.#from[to] = from;
      this.#viaEdge[to] = edge;
      this.#runStart[to] = this.#isSameStep(to, from) ? (this.#runStart[from] as number) : to;
      queue[tail++] = to;
    };
    const drain = () => {
      while (head < tail) {
        const node = queue[head++] as number;
        for (let edge = edgeStart[node] as number; edge < (edgeStart[node + 1] as number); edge++)
          visit(edge, node);
      }
    };
    const systemRoots: number[] = [];
    for (let edge = edgeStart[0] as number; edge < (edgeStart[1] as number); edge++) {
      const type = this.#heap.nodeTypes[this.#heap.type[edgeTo[edge] as number] as number];
      if (type === "synthetic") systemRoots.push(edge);
      else visit(edge, 0);
    }
    drain();
    for (const edge of systemRoots) visit(edge, 0);
    drain();
    this.#found = queue.subarray(0, tail);
  }

  /** Whether the step to a node is the same as that to the node before it. */
  #isSameStep(node: number, before: number): boolean {
    if (before === 0) return false;
    const { type, name, edgeType, edgeName, edgeTypes } = this.#heap;
    const [edge, edgeBefore] = [this.#viaEdge[node] as number, this.#viaEdge[before] as number];
    return (
      type[node] === type[before] &&
      name[node] === name[before] &&
      edgeType[edge] === edgeType[edgeBefore] &&
      (edgeName[edge] === edgeName[edgeBefore] || edgeTypes[edgeType[edge] as number] === "element")
    );
  }

  #holds(edge: number): boolean {
    return this.#heap.edgeTypes[this.#heap.edgeType[edge] as number] !== "weak";
  }

  #edgeText(edge: number): string {
    const { edgeTypes, edgeType, edgeName, strings } = this.#heap;
    const type = edgeTypes[edgeType[edge] as number];
    if (type === "element" || type === "hidden") return "[]";
    const name = strings[edgeName[edge] as number] ?? "?";
    // A place in a map's table.
    return /^\d+$/.test(name) ? "[]" : `.${name}`;
  }
}

/** What people call a node: an object's class, a function by its name, anything else by its kind. */
export function className({ type, nodeTypes, name, strings }: HeapSnapshot, node: number): string {
  const kind = nodeTypes[type[node] as number] ?? "?";
  const text = (strings[name[node] as number] ?? "").slice(0, 80);
  if (kind === "object" || kind === "native") return text;
  if (kind === "closure") return `${text || "anonymous"}()`;
  return `(${kind})`;
}
