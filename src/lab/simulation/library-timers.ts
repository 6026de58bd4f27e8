import type { World } from "./world.ts";

/**
 * Gives libraries, which know no clock but the process's, simulated time: `ws` sets a timer for each closing handshake.
 * To be disposed of when the run is over; runs of one process come one after another.
 */
export function libraryTimersOn(world: World): Disposable {
  const { setTimeout: realSet, clearTimeout: realClear } = globalThis;
  const simulated = new Set<object>();
  const set = (run: (...args: unknown[]) => void, delayMs = 0, ...args: unknown[]): object => {
    const due = world.time.in(delayMs, () => {
      simulated.delete(handle);
      world.time.disturb();
      run(...args);
    });
    const handle = { due, ref: () => handle, unref: () => handle };
    simulated.add(handle);
    return handle;
  };
  const clear = (handle: unknown): void => {
    if (!simulated.delete(handle as object)) return;
    const { due } = handle as { due: { run: unknown } | null };
    if (due !== null) due.run = null;
  };
  Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  return {
    [Symbol.dispose]() {
      Object.assign(globalThis, { setTimeout: realSet, clearTimeout: realClear });
    },
  };
}
