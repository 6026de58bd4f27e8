import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { retryAfterMs } from "./retry-after.ts";

const NOW = Date.parse("2026-11-06T08:49:37Z");

describe("retry-after", () => {
  for (const [field, ms] of [
    ["120", 120_000],
    [" 0 ", 0],
    ["Fri, 06 Nov 2026 08:50:37 GMT", 60_000],
    ["Friday, 06-Nov-26 08:50:37 GMT", 60_000],
    ["Fri Nov  6 08:50:37 2026", 60_000],
    ["Fri, 06 Nov 2026 08:00:00 GMT", 0],
    ["-1", null],
    ["1.5", null],
    ["soon", null],
    ["99999999999", null],
    ["Fri, 99 Nov 2026", null],
    ["", null],
    [undefined, null],
  ] as const) {
    test(`retry-after: ${JSON.stringify(field)} asks for ${ms} ms`, () => {
      assert.equal(retryAfterMs(field, NOW), ms);
    });
  }
});
