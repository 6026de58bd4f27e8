/** Runs simulations of the house with one mutation in it, in a process of its own: `mutant.ts <number> <seeds>`. */
import assert from "node:assert/strict";
import { mutate } from "../simulate/mutation-hook.ts";
import { MUTATIONS } from "../simulate/mutations.ts";

const [number, seeds] = process.argv.slice(2) as [string, string];
const mutation = number === "none" ? null : MUTATIONS[Number(number)];
assert.notEqual(mutation, undefined, `there is no mutation ${number}`);
if (mutation != null) mutate(mutation);

const { simulate } = await import("#lab/simulation/simulation.ts");
for (const seed of seeds.split(",")) {
  const outcome = await simulate({ seed: Number(seed), days: 1 });
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
  if (outcome.broken !== null) break;
}
