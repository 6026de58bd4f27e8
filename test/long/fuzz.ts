import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { openAllTargets } from "../fuzz/all.ts";
import { fuzz } from "../fuzz/target.ts";

/**
 * `npm run fuzz -- --seconds N [--target NAME] [--seed S] [--path P]`: fuzzes every parser, or one, for N seconds in all
 * (default 60). A failure prints what replays it.
 */
const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    target: { type: "string" },
    seed: { type: "string" },
    path: { type: "string" },
  },
});
const seconds = Number(values.seconds);
if (!(seconds > 0 && seconds <= 86_400)) throw new RangeError("--seconds must be from 1 to 86400");
const seed = values.seed === undefined ? randomInt(2 ** 31) : Number(values.seed);
if (!Number.isSafeInteger(seed)) throw new RangeError("--seed must be a whole number");

await using all = await openAllTargets();
const chosen = all.targets.filter(({ name }) => values.target === undefined || values.target === name);
if (chosen.length === 0)
  throw new RangeError(`--target must be one of ${all.targets.map(({ name }) => name).join(", ")}`);
console.log(`seed ${seed}`);
for (const target of chosen) {
  const ms = (seconds * 1000) / chosen.length;
  const cases = await fuzz(target, { seed, ms, path: values.path });
  console.log(`${target.name}: ${cases} inputs`);
}
await all.checkAfter();
console.log("all is well");
