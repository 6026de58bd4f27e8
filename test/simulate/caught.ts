import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { RunOutcome } from "#lab/simulation/simulation.ts";
import { MUTATIONS, type Mutation } from "./mutations.ts";

const MUTANT = fileURLToPath(new URL("../long/mutant.ts", import.meta.url));

/** For tests: runs days of these seeds with a mutation (null: with none), until one breaks a promise. Answers each run's outcome. */
export function runsOf(mutation: Mutation | null, seeds: readonly number[]): RunOutcome[] {
  const number = mutation === null ? "none" : `${MUTATIONS.indexOf(mutation)}`;
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--conditions=streamkeeper-source", MUTANT, number, seeds.join(",")],
    { encoding: "utf8", timeout: 240_000 },
  );
  assert.equal(status, 0, stderr);
  return stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as RunOutcome);
}
