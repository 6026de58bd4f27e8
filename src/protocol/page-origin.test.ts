import assert from "node:assert/strict";
import { test } from "node:test";
import { pageOriginOf } from "./page-origin.ts";

const listed = new Set(["https://app.example.com"]);

const CASES: [name: string, headers: Record<string, string>, verdict: string][] = [
  ["the gateway's own page", { host: "gw.example", origin: "https://gw.example" }, "own"],
  [
    "its own page behind a proxy that ends TLS",
    { host: "gw.example:443", origin: "https://gw.example" },
    "own",
  ],
  ["its own page on a port", { host: "127.0.0.1:8080", origin: "http://127.0.0.1:8080" }, "own"],
  ["another port", { host: "127.0.0.1:8080", origin: "http://127.0.0.1:8081" }, "foreign"],
  ["a listed page", { host: "gw.example", origin: "https://app.example.com" }, "listed"],
  ["a listed name by plain HTTP", { host: "gw.example", origin: "http://app.example.com" }, "foreign"],
  [
    "a page whose name only begins alike",
    { host: "gw.example", origin: "https://gw.example.evil.test" },
    "foreign",
  ],
  ["a sandboxed page", { host: "gw.example", origin: "null" }, "foreign"],
  ["a foreign page told by its Referer", { host: "gw.example", referer: "https://evil.test/x" }, "foreign"],
  ["its own page told by its Referer", { host: "gw.example", referer: "https://gw.example/x?y" }, "own"],
  [
    "an Origin that contradicts the Referer",
    { host: "gw.example", origin: "https://evil.test", referer: "https://gw.example/" },
    "foreign",
  ],
  ["an empty Origin", { host: "gw.example", origin: "" }, "foreign"],
  ["its own page by another case of letters", { host: "Gw.Example", origin: "https://gw.example" }, "own"],
  ["its own page at an IPv6 address", { host: "[::1]:8080", origin: "http://[::1]:8080" }, "own"],
  [
    "a user name that looks like the host",
    { host: "gw.example", origin: "https://gw.example@evil.test" },
    "foreign",
  ],
  ["an extension", { host: "gw.example", origin: "chrome-extension://gw.example" }, "foreign"],
  ["a browser that says same-origin", { host: "gw.example", "sec-fetch-site": "same-origin" }, "own"],
  ["a browser that says same-site", { host: "gw.example", "sec-fetch-site": "same-site" }, "foreign"],
  ["a browser that says cross-site", { host: "gw.example", "sec-fetch-site": "cross-site" }, "foreign"],
  ["an address typed in", { host: "gw.example", "sec-fetch-site": "none" }, "unknown"],
  ["a program", { host: "gw.example" }, "unknown"],
  ["no Host at all", { origin: "https://gw.example" }, "foreign"],
];
for (const [name, headers, verdict] of CASES) {
  test(`page origin: ${name} is ${verdict}`, () => assert.equal(pageOriginOf(headers, listed), verdict));
}
