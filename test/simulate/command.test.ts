import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Finished, run } from "../helpers/program.ts";
import { MUTATIONS } from "./mutations.ts";

const MUTANT = fileURLToPath(new URL("../long/mutant-command.ts", import.meta.url));

/** Runs `simulate` of a house with a mutation; `onOutput` is called with all that it has printed, each time that it prints. */
async function simulateMutant(
  name: string,
  args: readonly string[],
  onOutput: (output: { stdout: string; stderr: string }, child: ChildProcess) => void,
): Promise<Finished> {
  const number = MUTATIONS.findIndex((each) => each.name === name);
  const child = spawn(
    process.execPath,
    ["--conditions=streamkeeper-source", MUTANT, `${number}`, "simulate", ...args],
    { stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 },
  );
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].setEncoding("utf8").on("data", (text: string) => {
      output[stream] += text;
      onOutput(output, child);
    });
  }
  const [status, signal] = await once(child, "close");
  return { status, signal, ...output };
}

test("simulate: a broken promise is told before it is shrunk, and SIGTERM ends that with the smallest so far", async () => {
  let toldFirst: string | null = null;
  // It takes some hundred runs of most of a day to shrink this one.
  const { status, stdout, stderr } = await simulateMutant(
    "a hand-over drops what the new link brought first",
    ["--seed", "1"],
    (output, child) => {
      // By then it was told, and shrinking is under way.
      if (toldFirst !== null || !output.stderr.includes("shrinking: ")) return;
      toldFirst = output.stdout;
      child.kill("SIGTERM");
    },
  );
  assert.match(
    toldFirst ?? "",
    /^BROKEN {2}late: .*\n.*\n {2}seed 1, step .*\n {2}streamkeeper simulate --seed 1 --days 1\n$/,
  );
  assert.equal(status, 1, "it ended by itself");
  assert.match(stderr, /shrinking: faults left: \d+, after 1 runs/);
  assert.match(stdout, /\nShrunk in \d+ runs, when it was told to stop, to \d+ faults:\n/);
  assert.match(stdout, /\n {2}streamkeeper simulate --seed 1 --days 0\.\d+( --faults [\d,]+)?\n$/);
});

test("simulate --json: standard error has the replay before anything is shrunk, and standard output the answer alone", async () => {
  let early: string | null = null;
  const { status, stdout } = await simulateMutant(
    "a stream resumes from the wrong cursor",
    ["--seed", "1", "--json"],
    ({ stderr }) => {
      early ??= stderr;
    },
  );
  assert.equal(status, 1);
  assert.match(early ?? "", /^BROKEN {2}gap: streamkeeper simulate --seed 1 --days 1\n/);
  assert.equal(JSON.parse(stdout).shrunk.outcome.broken.promise, "gap");
});

test("simulate --faults: a number that the plan has not is bad usage, and not a run without faults", async () => {
  const { status, stdout, stderr } = await run(["simulate", "--seed", "1", "--faults", "3,999999"]);
  assert.equal(status, 2);
  assert.equal(stdout, "");
  assert.match(
    stderr,
    /names fault 999999, but the plan of seed 1 over 1 days has 90 faults, with numbers from 0 to 89/,
  );
  const last = await run(["simulate", "--seed", "1", "--days", "0.01", "--faults", "none"]);
  assert.equal(last.status, 0, last.stderr);
});
