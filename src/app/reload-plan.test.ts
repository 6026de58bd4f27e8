import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "#config/config.ts";
import { parseConfig } from "#config/load.ts";
import { planReload } from "./reload-plan.ts";

const BASE = `
listen: { port: 0 }
feeds:
  quotes: { url: "http://127.0.0.1:1/{keys}", topic: "/quotes/{key}", key: /s, headers: { authorization: one } }
  news: { url: "http://127.0.0.1:1/", topic: /news }
`;

function config(yaml: string): Config {
  return parseConfig(yaml, null, {}).config;
}

function plan(yaml: string, from = BASE) {
  return planReload(config(from), config(yaml));
}

test("reload plan: the same configuration changes nothing", () => {
  assert.deepEqual(plan(BASE), { changed: [], refused: [] });
});

test("reload plan: changes are named as the file spells them, without their values", () => {
  const { changed, refused } = plan(
    BASE.replace("authorization: one", "authorization: two").replace("  news:", "  papers:") +
      "drain: { timeout: 5s }\nlimits: { connections: 7 }\nauth: { roles: { trader: { subscribe: [/quotes/*] } } }",
  );
  assert.deepEqual([...changed].sort(), [
    "auth.roles.admin",
    "auth.roles.trader",
    "drain.timeout",
    "feeds.news",
    "feeds.papers",
    "feeds.quotes.headers.authorization",
    "limits.connections",
  ]);
  assert.deepEqual(refused, []);
});

for (const [yaml, path] of [
  ["listen: { port: 1 }", "listen.port"],
  ["listen: { port: 0, host: localhost }", "listen.host"],
  ["listen: { port: 0 }\ntls: { cert: a.pem, key: b.pem }", "tls"],
  ["listen: { port: 0 }\ndatabase: sqlite:other.db", "database"],
  ["listen: { port: 0 }\nauth: { issuer: other }", "auth.issuer"],
  ["listen: { port: 0 }\nauth: { audience: other }", "auth.audience"],
  ["listen: { port: 0 }\nlog: { stateBytesMax: 1MiB }", "log.stateBytesMax"],
] as const) {
  test(`reload plan: ${path} waits for a restart`, () => {
    const { refused } = plan(yaml, "listen: { port: 0 }");
    assert.deepEqual(refused, [path]);
  });
}
