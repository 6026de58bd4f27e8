import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { METRICS_DOCS, metricsDocs } from "./metrics-docs.ts";

test("metrics documentation: docs/metrics.md is what the definitions say", () => {
  assert.equal(
    readFileSync(METRICS_DOCS, "utf8"),
    metricsDocs(),
    "docs/metrics.md is stale: run `node --conditions=streamkeeper-source tools/metrics-docs.ts`",
  );
});
