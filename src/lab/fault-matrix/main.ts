/**
 * The matrix of faults: does every fault to a real feed, prints what came of it, and writes docs/fault-matrix.md.
 *
 *     node --conditions=streamkeeper-source src/lab/fault-matrix/main.ts [--only TEXT] [--seed N]
 *
 * With `--only`, faults whose name has the text are done, and nothing is written. Exit status 1: a promise was broken.
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { messageOf } from "#base/errors.ts";
import { MATRIX_FAULTS, type MatrixFault } from "./faults.ts";
import { type MatrixRow, matrixPage } from "./report.ts";
import { brokenPromises, runFault } from "./run.ts";

/** Faults that are done at the same time; more would disturb each other's times. */
const AT_ONCE = 4;
const PAGE = new URL("../../../docs/fault-matrix.md", import.meta.url);

const { values } = parseArgs({
  options: { only: { type: "string", default: "" }, seed: { type: "string", default: "1" } },
});

const faults = MATRIX_FAULTS.filter(({ name }) => name.includes(values.only));
const rows = new Map<MatrixFault, MatrixRow>();
const broken: string[] = [];
const open = [...faults];

await Promise.all(Array.from({ length: AT_ONCE }, work));

const page = matrixPage(faults.flatMap((fault) => rows.get(fault) ?? []));
console.log(page);
if (values.only === "") writeFileSync(PAGE, page);
for (const line of broken) console.error(`broken: ${line}`);
process.exitCode = broken.length === 0 ? 0 : 1;

async function work(): Promise<void> {
  for (let fault = open.shift(); fault !== undefined; fault = open.shift()) {
    try {
      // Each row has its own chance, or all would wait equally long.
      const seed = Number(values.seed) + MATRIX_FAULTS.indexOf(fault);
      const row = {
        fault,
        withIds: await runFault(fault, true, seed),
        withoutIds: await runFault(fault, false, seed),
      };
      rows.set(fault, row);
      for (const result of [row.withIds, row.withoutIds]) {
        const kind = result.ids ? "with ids" : "without ids";
        broken.push(...brokenPromises(fault, result).map((what) => `${fault?.name}, ${kind}: ${what}`));
      }
      if (process.stderr.isTTY) console.error(`${rows.size} of ${faults.length}: ${fault.name}`);
    } catch (thrown) {
      broken.push(messageOf(thrown));
    }
  }
}
