import { Gateway } from "#app/gateway.ts";
import { openLog } from "#app/process-log.ts";
import { messageOf } from "#base/errors.ts";
import { loadConfig } from "#config/load.ts";

/**
 * The gateway that `load` starts when it is given none: as `serve` runs it, but it leaves Ctrl-C and SIGTERM to its
 * parent, and ends with it or when it lets go.
 */
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => {});
process.on("disconnect", () => void end());
const log = openLog();
const opening = Gateway.open(loadConfig(process.argv[2] as string), { log });
const gateway = await opening.catch((thrown: unknown) => {
  process.send?.({ fault: messageOf(thrown) });
  throw thrown;
});
process.send?.({ url: gateway.url });

async function end(): Promise<void> {
  await (await opening)[Symbol.asyncDispose]();
  process.exit(0);
}
