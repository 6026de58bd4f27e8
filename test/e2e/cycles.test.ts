import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf, runCycles } from "../long/cycles/run.ts";

test("cycles: after 1,000 clients have come and gone by many ways, the gateway's process holds what it held before", async () => {
  const figures = await runCycles({
    seed: 7,
    flood: 100,
    cycles: 1000,
    atOnce: 100,
    lookEvery: 1000,
    isShort: true,
  });
  // So short a run says nothing of resident memory; `npm run test:cycles` does.
  assert.deepEqual(
    faultsOf(figures, { heapBytes: 8 * 2 ** 20, residentBytes: Number.POSITIVE_INFINITY }),
    [],
  );
});
