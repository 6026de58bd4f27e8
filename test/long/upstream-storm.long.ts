/**
 * The upstream side in a storm, on the whole gateway: real sockets, faults from a seed, thousands of subscribers on
 * both transports in a process of their own. Prints figures; exit status 1: a promise was broken.
 *
 *     node --conditions=streamkeeper-source test/long/upstream-storm.long.ts [--only NAME,…] [--seed N]
 *
 * NAME: resets, mixed, no-ids, crowd, crowd-rotating, outage, reconnect. All take about five minutes. `--help` lists
 * what can be made smaller.
 */
import { parseArgs } from "node:util";
import { type CrowdOptions, runCrowd } from "./upstream-storm/crowd.ts";
import { type FanOutOptions, runFanOut } from "./upstream-storm/fan-out.ts";
import { runOutage } from "./upstream-storm/outage.ts";
import { runReconnect } from "./upstream-storm/reconnect.ts";
import { type StormResult, tableOf } from "./upstream-storm/report.ts";

const DEFAULTS = {
  seed: 1,
  events: 100_000,
  keys: 200,
  subscribers: 2000,
  rate: 4000,
  crowd: 10_000,
  crowdKeys: 500,
  outageSeconds: 60,
  links: 200,
  resets: 100,
} as const;

const { values } = parseArgs({
  options: {
    only: { type: "string", default: "" },
    help: { type: "boolean", default: false },
    ...Object.fromEntries(Object.keys(DEFAULTS).map((name) => [name, { type: "string" as const }])),
  },
});

function number(name: keyof typeof DEFAULTS): number {
  const given = (values as Record<string, unknown>)[name];
  const value = given === undefined ? DEFAULTS[name] : Number(given);
  if (!Number.isSafeInteger(value) || value < 1 || value > 10_000_000)
    throw new Error(`--${name}: a whole number from 1 to 10,000,000, not ${given}`);
  return value;
}

const storm: Omit<FanOutOptions, "name" | "ids" | "faults" | "roaming"> = {
  keys: number("keys"),
  events: number("events"),
  subscribers: number("subscribers"),
  perSecond: number("rate"),
  keysPerLink: 40,
  seed: number("seed"),
};
const crowd: Omit<CrowdOptions, "name" | "rotateAfterMs"> = {
  subscribers: number("crowd"),
  keys: number("crowdKeys"),
  keysPerLink: 100,
  linksMax: 6,
  seed: number("seed"),
};

const RUNS: Readonly<Record<string, () => Promise<StormResult>>> = {
  resets: () => runFanOut({ ...storm, name: "resets", ids: true, faults: "resets", roaming: false }),
  mixed: () => runFanOut({ ...storm, name: "mixed", ids: true, faults: "mixed", roaming: true }),
  "no-ids": () => runFanOut({ ...storm, name: "no-ids", ids: false, faults: "mixed", roaming: false }),
  crowd: () => runCrowd({ ...crowd, name: "crowd", rotateAfterMs: 0 }),
  "crowd-rotating": () => runCrowd({ ...crowd, name: "crowd-rotating", rotateAfterMs: 4000 }),
  outage: () =>
    runOutage({
      links: number("links"),
      outageMs: number("outageSeconds") * 1000,
      retryMinMs: 250,
      retryMaxMs: 30_000,
    }),
  reconnect: () => runReconnect({ resets: number("resets"), retryMinMs: 250 }),
};

if (values.help) {
  console.log(`--only ${Object.keys(RUNS).join(",")}`);
  for (const [name, value] of Object.entries(DEFAULTS)) console.log(`--${name} ${value}`);
} else {
  const chosen = values.only === "" ? Object.keys(RUNS) : values.only.split(",");
  for (const name of chosen) {
    const run = RUNS[name];
    if (run === undefined) throw new Error(`--only: ${name} is none of ${Object.keys(RUNS).join(", ")}`);
    const result = await run();
    console.log(`${tableOf(result)}\n`);
    if (result.broken.length > 0) process.exitCode = 1;
  }
}
