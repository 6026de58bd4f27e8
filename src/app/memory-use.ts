import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What the process uses of memory, and how it is made to give back what it does not need. */
export interface MemoryUse {
  /** Resident memory, in bytes. */
  residentBytes(): number;
  /** Share of the largest heap that the JavaScript engine allows itself, past which it ends the process. */
  heapShare(): number;
  /** Collects garbage and gives free pages back. Stops the process for some 100 ms with a heap of 100 MB. */
  collect(): void;
}

/** Share of the limit that is in use: of the process's bound, or of the engine's own, whichever is nearer. */
export function usedShare(memory: MemoryUse, limitBytes: number): number {
  return Math.max(memory.residentBytes() / limitBytes, memory.heapShare());
}

export const processMemory: MemoryUse = {
  residentBytes: () => process.memoryUsage.rss(),
  heapShare: () => {
    const { used_heap_size, heap_size_limit } = getHeapStatistics();
    return used_heap_size / heap_size_limit;
  },
  collect: () => {
    collector ??= collectorOfEngine();
    collector({ type: "major", execution: "sync", flavor: "last-resort" });
  },
};

let collector: ((options: object) => void) | null = null;

/**
 * The engine has no public way to ask for a collection. Left to itself it gives memory back late: it knows of its own
 * heap's bound only. `last-resort` is what returns pages to the system; an ordinary collection was seen to return none.
 */
function collectorOfEngine(): (options: object) => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: object) => void;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
