import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { substitute } from "./environment.ts";
import { formatPath } from "./fault.ts";
import { plaintextRefusal } from "./plaintext.ts";
import {
  databaseFault,
  feedUrlFault,
  headerValueFault,
  hostFault,
  originFault,
  pointerFault,
  proxyFault,
} from "./strings.ts";
import { validate } from "./validate.ts";

const variable = (name: string) => `$\{${name}}`;

const tables: readonly [string, (text: string) => string | null, readonly string[], readonly string[]][] = [
  [
    "host",
    hostFault,
    ["127.0.0.1", "::1", "localhost", "a.example.com"],
    ["", "http://x", "a:80", "-a", "a b", "[::1]"],
  ],
  [
    "origin",
    originFault,
    ["https://a.example.com", "http://localhost:3000"],
    [
      "*",
      "null",
      "https://a.example.com/",
      "https://A.example.com",
      "https://a.example.com:443",
      "file:///a",
    ],
  ],
  [
    "proxy",
    proxyFault,
    ["10.0.0.1", "10.0.0.0/8", "::1", "fd00::/8"],
    ["10.0.0.0/33", "::1/129", "a", "10.0.0.0/", "10.0.0.0/8/8"],
  ],
  [
    "database",
    databaseFault,
    ["sqlite:data/a.db", "sqlite:/a.db", "sqlite::memory:", "postgres://h/d", "postgresql://u:p@h:5432/d"],
    ["", "sqlite:", "sqlite://a.db", "data/a.db", "mysql://h/d", "postgres:h"],
  ],
  [
    "feed URL",
    feedUrlFault,
    ["https://a.example.com/q?s={keys}", "http://[::1]:80/{key}", "https://a.example.com"],
    [
      "https://{key}/",
      "https://a.example.com{key}/",
      "https://a.example.com?{key",
      "https://u@a.example.com/",
      "https://a b/",
      "javascript:0",
    ],
  ],
  ["JSON Pointer", pointerFault, ["", "/", "/a/0", "/a~0b~1c", "/ä"], ["a", "/~", "/a~2", "#/a"]],
  ["header value", headerValueFault, ["", "a b\tc"], ["a\r\nb: c", "a\nb", "a\0", "ä", "\x7f"]],
];

for (const [what, fault, good, bad] of tables) {
  test(`strings: a ${what} is taken when good and refused when not`, () => {
    for (const text of good) assert.equal(fault(text), null, text);
    for (const text of bad) assert.notEqual(fault(text), null, text);
  });
}

test("strings: the key never reaches the host of a feed's URL", () => {
  const hostile = fc.constantFrom(
    "a.example.com",
    "{key}",
    "/",
    "?",
    "#",
    "@",
    ":",
    "\\",
    ".",
    "{keys}",
    "//",
  );
  fc.assert(
    fc.property(fc.array(hostile, { maxLength: 6 }), (parts) => {
      const url = `https://${parts.join("")}`;
      if (feedUrlFault(url) !== null) return;
      const [one, other] = ["x", "evil.example.com"].map((key) => new URL(url.replace(/\{keys?\}/, key)));
      assert.equal(one?.host, other?.host, url);
    }),
  );
});

test("plain HTTP: refused off loopback unless allowed, whatever the spelling of the address", () => {
  for (const host of [
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "0:0:0:0:0:0:0:1",
    "::ffff:127.0.0.1",
    "localhost",
    "a.localhost",
  ]) {
    assert.equal(plaintextRefusal({ host, allowPlaintext: false }, false), null, host);
  }
  for (const host of [
    "0.0.0.0",
    "::",
    "10.0.0.1",
    "128.0.0.1",
    "::2",
    "2001:db8::1",
    "localhost.example.com",
  ]) {
    assert.match(plaintextRefusal({ host, allowPlaintext: false }, false) ?? "", /tls/);
    assert.equal(plaintextRefusal({ host, allowPlaintext: true }, false), null);
    assert.equal(plaintextRefusal({ host, allowPlaintext: false }, true), null);
  }
});

test("environment: every text without a variable comes back as it is, but for the escape", () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const result = substitute(
        text.replaceAll("${", () => "$${"),
        {},
      );
      assert.deepEqual(result, { kind: "text", text, names: [] });
    }),
  );
});

test("environment: names that objects inherit are not variables", () => {
  assert.equal(substitute(variable("constructor") + variable("__proto__"), {}).kind, "missing");
});

test("validate: any text is either a configuration or has faults, and never throws", () => {
  const piece = fc.constantFrom(
    "feeds",
    "listen",
    ": ",
    "\n",
    "  ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    "&a ",
    "*a",
    '"',
    variable("A"),
    "1s",
    "__proto__",
    "? ",
    "!!set ",
    "|",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece, { maxLength: 30 }).map((parts) => parts.join("")),
      ),
      (text) => {
        const { config, faults } = validate(text, { A: "x" });
        assert.equal(config === null, faults.length > 0);
      },
    ),
    { numRuns: 500 },
  );
});

test("faults: paths are told the way people write them", () => {
  assert.equal(formatPath(["auth", "trustedIssuers", 0, "issuer"]), "auth.trustedIssuers[0].issuer");
  assert.equal(formatPath(["feeds", "a.b", "x-y"]), 'feeds["a.b"].x-y');
});
