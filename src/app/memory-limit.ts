import { totalmem } from "node:os";
import type { MemoryLimit } from "#config/config.ts";

/** The configured bound on the process's memory, in bytes: a share is one of the cgroup's memory, else of the host's. */
export function memoryLimitBytes(limit: MemoryLimit): number {
  if (limit.kind === "bytes") return limit.bytes;
  const constrained = process.constrainedMemory();
  // Without a bound some kernels answer 0, others a number near 2^64.
  const available = constrained > 0 && constrained < totalmem() ? constrained : totalmem();
  return Math.floor(available * limit.fraction);
}
