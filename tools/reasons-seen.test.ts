import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { HTTP2_ERRORS } from "#app/http2-guard.ts";
import { SWEEP_KINDS } from "#app/sweep-checks.ts";
import { TLS_ERRORS } from "#app/tls-pair.ts";
import { AUTH_ERRORS } from "#auth/auth-error.ts";
import { CONFIG_ERRORS } from "#config/fault.ts";
import { REFUSALS } from "#downstream/mercure-refusal.ts";
import { CENTRIFUGE_ERRORS, UNSUBSCRIBE_CODES } from "#protocol/centrifuge-codes.ts";
import { CLOSE_REASONS } from "#protocol/close-reason.ts";
import { STORAGE_ERRORS } from "#storage/storage-error.ts";
import { LINK_REASONS } from "#upstream/link-reason.ts";
import {
  ACCOUNT_ERRORS,
  HUB_ERRORS,
  LISTEN_ERRORS,
  MATCHER_ERRORS,
  MERCURE_ERRORS,
  READINESS,
  USAGE_ERRORS,
} from "./code-meanings.ts";
import { ROOT } from "./source.ts";

/**
 * Each closed list of docs/reasons.md, and the test files in which each of its codes has to occur. The lists of what
 * clients meet have tables of ways to them, which the compiler keeps whole and whose tests see each on the wire.
 */
const LISTS: Readonly<Record<string, { codes: object; in: RegExp }>> = {
  "reasons of connections": { codes: CLOSE_REASONS, in: /^test\/e2e\/reasons\.test\.ts$/ },
  "errors of commands": { codes: CENTRIFUGE_ERRORS, in: /^test\/e2e\/reasons-websocket\.test\.ts$/ },
  unsubscriptions: { codes: UNSUBSCRIBE_CODES, in: /^test\/e2e\/reasons-websocket\.test\.ts$/ },
  "faults of requests": { codes: MERCURE_ERRORS, in: /^test\/e2e\/reasons-mercure\.test\.ts$/ },
  refusals: { codes: REFUSALS, in: /^test\/e2e\/reasons-mercure\.test\.ts$/ },
  "reasons of links": { codes: LINK_REASONS, in: /^(src\/upstream|src\/lab\/fault-matrix|test\/e2e)\// },
  "the sweep": { codes: SWEEP_KINDS, in: /^src\/app\/sweep/ },
  "signing in": { codes: AUTH_ERRORS, in: /^(src|test)\/auth\// },
  readiness: { codes: READINESS, in: /^(src\/ops|test\/e2e)\// },
  topics: { codes: HUB_ERRORS, in: /^test\/e2e\/reasons-start/ },
  patterns: { codes: MATCHER_ERRORS, in: /^src\/protocol\// },
  configuration: { codes: CONFIG_ERRORS, in: /^src\/(config|cli)\// },
  certificates: { codes: TLS_ERRORS, in: /^src\/app\/tls/ },
  listening: { codes: LISTEN_ERRORS, in: /^(src\/app|test\/e2e)\// },
  "HTTP/2 sessions": { codes: HTTP2_ERRORS, in: /^src\/app\/listener/ },
  storage: { codes: STORAGE_ERRORS, in: /^(src\/storage\/|test\/e2e\/reasons-start)/ },
  users: { codes: ACCOUNT_ERRORS, in: /^test\/e2e\/reasons-start/ },
  usage: { codes: USAGE_ERRORS, in: /^(src\/cli|src\/lab|test)\// },
};

const TESTS = ["src", "test"].flatMap((folder) =>
  readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => ({ path: `${folder}/${name}`, text: "" })),
);

/** A test's text without its comments. */
function textOf(file: { path: string; text: string }): string {
  file.text ||= readFileSync(ROOT + file.path, "utf8").replace(/^\s*(\/\/|\/?\*).*$/gm, "");
  return file.text;
}

for (const [name, list] of Object.entries(LISTS)) {
  test(`docs/reasons.md: each code of ${name} occurs in a test that looks for it`, () => {
    const files = TESTS.filter(({ path }) => list.in.test(path));
    assert.ok(files.length > 0, `no test file is ${list.in}`);
    const missing = Object.keys(list.codes).filter((code) => {
      // As a text, a part of a regular expression or of a label, or a key of a table; not as a word of a sentence.
      const pattern = new RegExp(`(["'\`:/=|(.[]|[{,] |^\\s*)${code}(?=["'\`:/|)}\\\\,\\]])`, "m");
      return !files.some((file) => pattern.test(textOf(file)));
    });
    assert.deepEqual(missing, []);
  });
}
