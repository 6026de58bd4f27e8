import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MATRIX_FAULTS } from "./faults.ts";
import { matrixPage } from "./report.ts";
import { brokenPromises, type MatrixResult, runFault } from "./run.ts";

/** Of each kind of fault one; `npm run fault-matrix` does them all. */
const SHORT_FORM = [
  "TCP reset inside a UTF-8 character",
  "half-open inside an event",
  "connection closed (FIN) inside an event",
  "bytes of the framing spoilt",
  "nobody listens for 300 ms",
  "answered by 502, three times",
  "answered by 401",
  "204, and the keys are wanted anew",
  "answered by a line without end",
  "answered by a response cut off after 5 events",
  "answered by a head byte by byte",
  "HTTP/2: half-open, and so no answer to a PING",
  "answered by HTTP/2's GOAWAY after 5 events",
  "TLS: an expired certificate, then a good one",
];

describe("fault matrix", { concurrency: 4 }, () => {
  for (const name of SHORT_FORM) {
    test(`fault matrix: ${name}: known for what it is, got over, nothing doubled, and no loss untold`, async () => {
      const fault = MATRIX_FAULTS.find((each) => each.name === name) ?? assert.fail(`no fault ${name}`);
      for (const ids of [true, false]) {
        const result = await runFault(fault, ids, 7);
        assert.deepEqual(brokenPromises(fault, result), []);
        assert.deepEqual(result.reasons, fault.reasons);
        assert.ok(!ids || result.lost === 0, `${result.lost} events lost`);
      }
    });
  }

  test("fault matrix: its page has a row for each fault, and says what was lost and told", () => {
    const [fault, other] = MATRIX_FAULTS;
    const result: MatrixResult = {
      ids: true,
      reasons: ["reset"],
      mappingFaults: [],
      detectedMs: 1.4,
      recoveredMs: 20,
      lost: 0,
      doubled: 0,
      outOfOrder: 0,
      gaps: 0,
    };
    const rows = [fault, other].map((each) => ({
      fault: each ?? assert.fail(),
      withIds: result,
      withoutIds: { ...result, ids: false, lost: 4, gaps: 1 },
    }));
    const page = matrixPage(rows);
    assert.ok(page.includes(`| ${fault?.name} | \`reset\` | 1 ms | 20 ms | 0 | – | 4 | gap |`));
    assert.ok(page.includes("No event came twice"));
    assert.ok(page.includes(`| ${other?.name} |`));
  });

  test("fault matrix: every promise that does not hold is named", () => {
    const fault = MATRIX_FAULTS[0] ?? assert.fail();
    const broken = brokenPromises(fault, {
      ids: true,
      reasons: ["internal"],
      mappingFaults: [],
      detectedMs: 1,
      recoveredMs: 1,
      lost: 3,
      doubled: 2,
      outOfOrder: 1,
      gaps: 0,
    });
    assert.deepEqual(broken, [
      "detected as internal, not reset",
      "2 events came twice",
      "1 events came out of order",
      "3 events lost that the feed could replay",
      "3 events lost and nobody told",
    ]);
  });
});
