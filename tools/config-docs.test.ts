import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { CONFIG_DOCS, configDocs } from "./config-docs.ts";

test("docs/configuration.md: is what the schema says", () => {
  const stale = readFileSync(CONFIG_DOCS, "utf8") !== configDocs();
  assert.ok(
    !stale,
    "docs/configuration.md is stale: run `node --conditions=streamkeeper-source tools/config-docs.ts`",
  );
});
