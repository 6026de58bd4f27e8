import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf, runCycles } from "./cycles/run.ts";

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const bounds = { heapBytes: 2 * 2 ** 20, residentBytes: 20e6 };

test("cycles: after 200,000 clients have come and gone by every way there is, what the gateway holds is what it held before", async (t) => {
  const figures = await runCycles({
    seed: number("CYCLES_SEED", 1),
    flood: number("CYCLES_FLOOD", 10_000),
    cycles: number("CYCLES_COUNT", 200_000),
    atOnce: 100,
    lookEvery: number("CYCLES_LOOK_EVERY", 20_000),
    tell: (line) => t.diagnostic(line),
  });
  t.diagnostic(
    `${figures.cyclesPerSecond.toFixed(0)} cycles a second; ${figures.slow} were sent away as slow`,
  );
  assert.deepEqual(faultsOf(figures, bounds), []);
  assert.ok(figures.slow > 0);
});

test("cycles: where one connection of fifty is leaked on purpose, that is found", async (t) => {
  const options = { seed: 1, flood: 500, cycles: 4000, atOnce: 100, lookEvery: 4000, isShort: true };
  const faults = faultsOf(await runCycles({ ...options, leakEvery: 50 }), bounds);
  for (const fault of faults) t.diagnostic(fault);
  assert.ok(faults.some((fault) => /objects of class EventEmitter are alive/.test(fault)));
});
