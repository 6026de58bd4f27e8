import assert from "node:assert/strict";
import { test } from "node:test";
import { CheckUsageError, parseTarget } from "./target.ts";

test("check target: host, port and paths follow from the URL, a proxy's path included", () => {
  const target = parseTarget("https://events.example.com/live");
  assert.equal(target.host, "events.example.com");
  assert.equal(target.port, 443);
  assert.equal(
    target.url("/connection/websocket").href,
    "https://events.example.com/live/connection/websocket",
  );
  assert.equal(parseTarget("http://[::1]:8080").host, "::1");
  assert.equal(parseTarget("http://localhost").port, 80);
});

test("check target: what is no http URL, or holds a secret, is bad usage", () => {
  for (const url of [
    "",
    "localhost:8080",
    "ftp://x",
    "ws://x",
    "https://u:p@x/",
    "https://x/?token=1",
    "https://x/#f",
  ]) {
    assert.throws(() => parseTarget(url), CheckUsageError, url);
  }
});

test("check target: a CA file that is missing or holds no certificate is bad usage", () => {
  assert.throws(() => parseTarget("https://x", "/no/such/file.pem"), /can't be read/);
  assert.throws(
    () => parseTarget("https://x", new URL(import.meta.url).pathname.replace("target.test.ts", "step.ts")),
    /no PEM/,
  );
});
