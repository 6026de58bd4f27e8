/** Runs simulations of the house with one mutation in it, in a process of its own: `mutant.ts <number> <seeds>`. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { fileURLToPath } from "node:url";
import { MUTATIONS } from "../simulate/mutations.ts";

const ROOT = new URL("../../", import.meta.url);
const [number, seeds] = process.argv.slice(2) as [string, string];
const mutation = number === "none" ? null : MUTATIONS[Number(number)];
assert.notEqual(mutation, undefined, `there is no mutation ${number}`);

if (mutation != null) {
  const target = new URL(mutation.file, ROOT).href;
  const text = readFileSync(fileURLToPath(target), "utf8");
  assert.equal(text.split(mutation.old).length, 2, `${mutation.file} holds once what is changed`);
  const source = text.replace(mutation.old, () => mutation.replacement);
  registerHooks({
    load: (url, context, next) =>
      url === target ? { format: "module-typescript", source, shortCircuit: true } : next(url, context),
  });
}

const { simulate } = await import("#lab/simulation/simulation.ts");
for (const seed of seeds.split(",")) {
  const outcome = await simulate({ seed: Number(seed), days: 1 });
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
  if (outcome.broken !== null) break;
}
