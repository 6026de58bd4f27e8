/**
 * A hundred clients that stop reading among five thousand that read, in turns with phases without them: what the others'
 * latency is, what the slow ones cost, and how they end. Prints figures; exit status 1: a promise was broken.
 *
 *     npm run test:slow [-- --readers N --slow N --rounds N --seconds S --rate EVENTS]
 */
import { parseArgs } from "node:util";
import { runSlowNeighbours } from "./support/slow-neighbours.ts";
import { wholeNumber } from "./support/whole-number.ts";
import { tableOf } from "./upstream-storm/report.ts";

const { values } = parseArgs({
  options: {
    readers: { type: "string", default: "5000" },
    slow: { type: "string", default: "100" },
    processes: { type: "string", default: "2" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "14" },
    rate: { type: "string", default: "5" },
  },
});

const result = await runSlowNeighbours({
  readers: wholeNumber(values, "readers"),
  slow: wholeNumber(values, "slow"),
  processes: wholeNumber(values, "processes"),
  rounds: wholeNumber(values, "rounds"),
  phaseSeconds: wholeNumber(values, "seconds"),
  eventsPerSecond: wholeNumber(values, "rate"),
  timeoutMs: 8000,
  warms: true,
  judgesLatency: true,
});
console.log(tableOf(result));
if (result.broken.length > 0) process.exitCode = 1;
