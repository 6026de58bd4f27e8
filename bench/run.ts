/**
 * The benchmarks: `npm run bench [-- NAME… --json]`. They print ratios within one run, taken turn and turn about, as
 * medians, against the goals of docs/performance.md. No test depends on them.
 */
import { parseArgs } from "node:util";
import { accept } from "./benchmarks/accept.ts";
import { delivery } from "./benchmarks/delivery.ts";
import { fullSpeed } from "./benchmarks/full-speed.ts";
import { intake } from "./benchmarks/intake.ts";
import { churn, memory } from "./benchmarks/memory.ts";
import { resume } from "./benchmarks/resume.ts";
import { topics } from "./benchmarks/topics.ts";
import type { Benchmark } from "./harness/benchmark.ts";
import { Machine, Missing } from "./harness/machine.ts";
import { type Figure, HEADING, lineOf, verdictOf } from "./harness/report.ts";

const BENCHMARKS: readonly Benchmark[] = [delivery, fullSpeed, memory, churn, intake, topics, resume, accept];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
});
const unknown = positionals.filter((name) => !BENCHMARKS.some((benchmark) => benchmark.name === name));
if (values.help || unknown.length > 0) {
  if (unknown.length > 0) console.error(`no such benchmark: ${unknown.join(", ")}`);
  console.error("npm run bench [-- NAME… --json]");
  for (const { name, about } of BENCHMARKS) console.error(`  ${name.padEnd(12)} ${about}`);
  process.exit(values.help ? 0 : 2);
}

using machine = new Machine();
const figures: Figure[] = [];
const skipped: string[] = [];
const say = (line: string) => {
  if (!values.json) console.log(line);
};
say(
  `Node ${process.version}, ${machine.isPinned ? "server and load on a core each" : "not pinned to cores"}`,
);
const fault = loadClientFault(machine);
if (fault !== null) {
  skipped.push(fault);
  say(fault);
}
for (const benchmark of fault === null ? BENCHMARKS : []) {
  if (positionals.length > 0 && !positionals.includes(benchmark.name)) continue;
  say(`\n${benchmark.name}: ${benchmark.about}\n${HEADING}`);
  const began = performance.now();
  const skip = (why: string) => {
    skipped.push(`${benchmark.name}: ${why}`);
    say(`  ${why}`);
  };
  try {
    await benchmark.run({
      machine,
      figure: (figure) => {
        figures.push({ benchmark: benchmark.name, ...figure });
        say(lineOf({ benchmark: benchmark.name, ...figure }));
      },
      skipped: skip,
    });
  } catch (error) {
    if (!(error instanceof Missing)) throw error;
    skip(`skipped: ${error.message}`);
  }
  say(`(${((performance.now() - began) / 1000).toFixed(0)} s)`);
}
if (values.json) {
  const told = figures.map((figure) => ({ ...figure, verdict: verdictOf(figure) }));
  console.log(JSON.stringify({ node: process.version, figures: told, skipped }, null, 2));
}

/** Without the load client nothing can be measured. What it lacks, in words; null for nothing. */
function loadClientFault(machine: Machine): string | null {
  try {
    machine.build("load/load.c");
    return null;
  } catch (error) {
    if (error instanceof Missing) return `all left out: ${error.message}`;
    throw error;
  }
}
