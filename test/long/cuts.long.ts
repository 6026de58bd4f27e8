/**
 * Ten thousand clients of one topic, a third of them cut at random every second for a minute while events flow. Prints
 * figures; exit status 1: a promise was broken. What two cores can't reach is said by the figures, not hidden.
 *
 *     npm run test:cuts [-- --clients N --seconds S --one-in N --rate EVENTS --seed N]
 */
import { parseArgs } from "node:util";
import { runCuts } from "./support/cuts.ts";
import { wholeNumber } from "./support/whole-number.ts";
import { tableOf } from "./upstream-storm/report.ts";

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "10000" },
    processes: { type: "string", default: "2" },
    seconds: { type: "string", default: "60" },
    "one-in": { type: "string", default: "3" },
    rate: { type: "string", default: "3" },
    seed: { type: "string", default: "1" },
  },
});

const result = await runCuts({
  clients: wholeNumber(values, "clients"),
  processes: wholeNumber(values, "processes"),
  seconds: wholeNumber(values, "seconds"),
  oneIn: wholeNumber(values, "one-in"),
  eventsPerSecond: wholeNumber(values, "rate"),
  logAgeMs: 5000,
  seed: wholeNumber(values, "seed"),
});
console.log(tableOf(result));
if (result.broken.length > 0) process.exitCode = 1;
