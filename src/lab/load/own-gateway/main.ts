import { Gateway } from "#app/gateway.ts";
import { openLog } from "#app/process-log.ts";
import { messageOf } from "#base/errors.ts";
import { loadConfig } from "#config/load.ts";

/**
 * The gateway that `load` starts when it is given none: as `serve` runs it, but it leaves Ctrl-C to its parent, and ends
 * with it.
 */
const log = openLog();
const gateway = await Gateway.open(loadConfig(process.argv[2] as string), { log }).catch(
  (thrown: unknown) => {
    process.send?.({ fault: messageOf(thrown) });
    throw thrown;
  },
);
process.on("SIGINT", () => {});
process.on("SIGTERM", () => void end());
process.on("disconnect", () => void end());
process.send?.({ url: gateway.url });

async function end(): Promise<void> {
  await gateway[Symbol.asyncDispose]();
  process.exit(0);
}
