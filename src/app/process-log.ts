/** The process's log, for the commands that run a gateway: `cli` knows `ops` through here. */
export { openLog } from "#ops/log.ts";
