/**
 * The lab's door into a gateway: loaded before the program by `--import`, in a child of a soak or test only. It answers
 * over the child's IPC channel, never over a network; a gateway that users start has no such door.
 */
import { isMainThread } from "node:worker_threads";

// Threads load what their process loads before it.
if (isMainThread) {
  const ask = process.send?.bind(process);
  if (process.env.STREAMKEEPER_LAB !== "1" || ask === undefined)
    throw new Error("the lab's door opens only in a child of a soak or a test");
  const { openDoor } = await import("./inside.ts");
  openDoor(ask);
}
