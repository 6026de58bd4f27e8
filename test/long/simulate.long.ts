/**
 * Days of fresh seeds, as many as are asked for: `simulate.long.ts [runs] [first seed]`. Prints the first seed, so that
 * whatever is found can be found again, and how far it has come. Exit status 1 at the first broken promise.
 */
import { randomInt } from "node:crypto";
import { replayOf } from "#lab/simulation/shrink.ts";
import { simulate } from "#lab/simulation/simulation.ts";

/** Days between two lines that tell how far it has come. */
const SOME = 50;

const runs = Number(process.argv[2] ?? 20);
const first = Number(process.argv[3] ?? randomInt(1_000_000_000));
console.log(`seeds ${first} to ${first + runs - 1}`);
let failed = 0;
for (let seed = first; seed < first + runs; seed++) {
  const settings = { seed, days: 1 };
  const { broken } = await simulate(settings);
  const done = seed - first + 1;
  if (done % SOME === 0 && done < runs) console.error(`${done} of ${runs} days`);
  if (broken === null) continue;
  failed++;
  console.log(`${broken.promise}: ${broken.detail}\n  ${replayOf(settings)}`);
}
console.log(`${runs - failed} of ${runs} days kept every promise`);
process.exitCode = failed === 0 ? 0 : 1;
