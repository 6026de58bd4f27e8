import assert from "node:assert/strict";
import { test } from "node:test";
import { faultsOf, runCycles } from "../long/cycles/run.ts";

test("cycles: after 2,000 clients have come and gone by many ways, the gateway's process holds what it held before", async () => {
  const figures = await runCycles({
    seed: 7,
    flood: 200,
    cycles: 2000,
    atOnce: 100,
    lookEvery: 2000,
    isShort: true,
  });
  // So short a run says nothing of resident memory; `npm run test:cycles` does.
  assert.deepEqual(
    faultsOf(figures, { heapBytes: 8 * 2 ** 20, residentBytes: Number.POSITIVE_INFINITY }),
    [],
  );
});
