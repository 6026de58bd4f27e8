import assert from "node:assert/strict";
import { test } from "node:test";
import { isOriginAllowed } from "./websocket-origin.ts";

const listed = new Set(["https://app.example.com"]);

for (const [what, origin, host, verdict] of [
  ["no origin, as programs send none", undefined, "gateway.example.com", true],
  ["the gateway's own host", "https://gateway.example.com", "gateway.example.com", true],
  ["the gateway's own host and port", "http://localhost:8080", "localhost:8080", true],
  ["the default port spelt out", "https://gateway.example.com", "gateway.example.com:443", true],
  ["another case of letters in the host", "https://gateway.example.com", "Gateway.Example.com", true],
  ["an IPv6 address", "http://[::1]:8080", "[::1]:8080", true],
  ["a listed origin", "https://app.example.com", "gateway.example.com", true],
  ["a listed host by another scheme", "http://app.example.com", "gateway.example.com", false],
  ["another host", "https://evil.example", "gateway.example.com", false],
  ["another port of the same host", "http://localhost:3000", "localhost:8080", false],
  ["a host that only begins alike", "https://gateway.example.com.evil.example", "gateway.example.com", false],
  [
    "a user name that looks like the host",
    "https://gateway.example.com@evil.example",
    "gateway.example.com",
    false,
  ],
  ["an opaque origin", "null", "gateway.example.com", false],
  ["an extension's origin", "chrome-extension://gateway.example.com", "gateway.example.com", false],
  ["an empty origin", "", "gateway.example.com", false],
  ["no host", "https://gateway.example.com", undefined, false],
] as const) {
  test(`origin check: ${what} is ${verdict ? "let in" : "refused"}`, () => {
    assert.equal(isOriginAllowed(origin, host, listed), verdict);
  });
}
