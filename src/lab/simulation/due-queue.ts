/** Something that is to happen at a time. */
export interface Due {
  readonly atMs: number;
  /** Of two at the same time the one that was put in first comes first. */
  readonly order: number;
  /** Null: cancelled. */
  run: (() => unknown) | null;
}

/** What is to happen, the earliest first: a binary heap. */
export class DueQueue {
  readonly #heap: Due[] = [];
  #order = 0;

  get first(): Due | undefined {
    return this.#heap[0];
  }

  put(atMs: number, run: () => unknown): Due {
    const due: Due = { atMs, order: this.#order++, run };
    const heap = this.#heap;
    let at = heap.push(due) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above] as Due;
      if (isBefore(parent, due)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = due;
    return due;
  }

  /** Takes the earliest off. */
  take(): Due | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      const right = heap[below + 1];
      if (right !== undefined && isBefore(right, heap[below] as Due)) below++;
      const child = heap[below] as Due;
      if (isBefore(last, child)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
    return first;
  }
}

function isBefore(one: Due, other: Due): boolean {
  return one.atMs < other.atMs || (one.atMs === other.atMs && one.order < other.order);
}
