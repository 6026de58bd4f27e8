import assert from "node:assert/strict";
import { test } from "node:test";
import { hideSecrets } from "./secrets.ts";

const authorization = ["feeds", "quotes", "headers", "authorization"];
const at = (name: string) => `$\{${name}}`;

test("secrets: what is nothing but variables, after a scheme, is shown", () => {
  for (const text of [
    at("TOKEN"),
    `Bearer ${at("TOKEN")}`,
    `basic  ${at("USER")}${at("PASS")}`,
    `Digest ${at("_1")}`,
  ])
    assert.equal(hideSecrets(text, authorization), text);
  const url = `postgres://u:${at("PASS")}@h/d?sslkey=${at("KEY")}`;
  assert.equal(hideSecrets(url, ["database"]), url);
  assert.equal(
    hideSecrets("https://h/?key={key}&token={keys}", ["url"]),
    "https://h/?key={key}&token={keys}",
  );
});

test("secrets: of what names a variable as well, only the name is shown", () => {
  const hidden = [
    [`Bearer sk_live_abcdef${at("REGION")}`, `(hidden)${at("REGION")}`],
    [`${at("A")}sk_live_abcdef${at("B")}`, `${at("A")}(hidden)${at("B")}`],
    [`${at("A")}sk_live_abcdef`, `${at("A")}(hidden)`],
    [`sk_live_abcdef ${at("A")}`, `(hidden)${at("A")}`],
    ["Bearer sk_live_abcdef", "(hidden)"],
    [`Bearer $${at("sk_live_abcdef")}`, "(hidden)"],
    [`Bearer ${at("A")}$${at("sk_live_abcdef")}`, `Bearer ${at("A")}(hidden)`],
    [`Bearer ${at("sk-live-abcdef")}`, "Bearer (hidden)"],
  ] as const;
  for (const [text, shown] of hidden) assert.equal(hideSecrets(text, authorization), shown, text);
});

test("secrets: in URLs too, be it beside a variable or a place for keys", () => {
  const hidden = [
    [`postgres://u:hunter2${at("X")}@h/d`, `postgres://u:(hidden)${at("X")}@h/d`],
    [`https://h/?api_key=hunter2${at("X")}&lang=en`, `https://h/?api_key=(hidden)${at("X")}&lang=en`],
    ["https://h/?token=hunter2{key}&lang=en", "https://h/?token=(hidden){key}&lang=en"],
    [`https://h/?token=hunter2${at("key")}`, `https://h/?token=(hidden)${at("key")}`],
    [`https://h/?token=$${at("key")}`, "https://h/?token=(hidden)"],
  ] as const;
  for (const [text, shown] of hidden) assert.equal(hideSecrets(text, ["url"]), shown, text);
});
