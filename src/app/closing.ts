import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Storage } from "#storage/storage.ts";

/** How long the parts of the gateway may wait for the database as they close, in milliseconds. */
export const DATABASE_WAIT_MS = 5_000;

/**
 * Closes everything, in order. A database that has fallen silent is given up after a while: what waits for it fails,
 * and the rest, such as the log on disk, still closes as it should.
 */
export async function closeAll(
  stack: AsyncDisposable,
  { storage, clock, log }: { storage: Pick<Storage, "abandon" | "name">; clock: Clock; log: Logger },
): Promise<void> {
  using _deadline = clock.after(DATABASE_WAIT_MS, () => {
    log.warn({ database: storage.name }, "closing takes long: the database is waited for no longer");
    storage.abandon();
  });
  await stack[Symbol.asyncDispose]();
}
