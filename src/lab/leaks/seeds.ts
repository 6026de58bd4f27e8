/** Sows a leak into a gateway, by `STREAMKEEPER_SEED_LEAK`. Loaded by `--import` in a child of a soak or test only. */
import { isMainThread } from "node:worker_threads";
import { isSeededLeak } from "./seed-names.ts";

if (isMainThread) {
  const name = process.env.STREAMKEEPER_SEED_LEAK ?? "";
  if (process.env.STREAMKEEPER_LAB !== "1" || !isSeededLeak(name))
    throw new Error("a leak is sown only in a child of a soak or a test, and by its name");
  const { sowLeak } = await import("./sow.ts");
  sowLeak(name);
}
