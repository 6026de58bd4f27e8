import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { REASONS_DOCS, reasonsDocs } from "./reasons-docs.ts";

test("docs/reasons.md: is what the tables in the code say", () => {
  const stale = readFileSync(REASONS_DOCS, "utf8") !== reasonsDocs();
  assert.ok(
    !stale,
    "docs/reasons.md is stale: run `node --conditions=streamkeeper-source tools/reasons-docs.ts`",
  );
});
