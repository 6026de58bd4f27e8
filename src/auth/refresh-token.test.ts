import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { newRefreshToken, nextRefreshToken, parseRefreshToken, sameHash } from "./refresh-token.ts";

test("refresh token: its text holds what its hashes are of", () => {
  const { text, token } = newRefreshToken();
  assert.match(text, /^skr_[\w-]{86}$/);
  assert.deepEqual(parseRefreshToken(text), token);
});

test("refresh token: the next one is of the same session and family, with another secret", () => {
  const first = newRefreshToken();
  const next = nextRefreshToken(first.text);
  assert.deepEqual(parseRefreshToken(next.text), next.token);
  assert.equal(next.token.sessionId, first.token.sessionId);
  assert.equal(next.token.familyHash, first.token.familyHash);
  assert.notEqual(next.token.tokenHash, first.token.tokenHash);
});

test("parse: whatever comes, a token of the form or null", () => {
  for (const text of [
    "",
    "skr_",
    `${newRefreshToken().text}x`,
    newRefreshToken().text.slice(1),
    `skr_${"!".repeat(86)}`,
  ]) {
    assert.equal(parseRefreshToken(text), null);
  }
  fc.assert(fc.property(fc.string({ maxLength: 200 }), (text) => parseRefreshToken(text) === null));
});

test("sameHash: compares texts of any length", () => {
  assert.equal(sameHash("abc", "abc"), true);
  assert.equal(sameHash("abc", "abd"), false);
  assert.equal(sameHash("abc", "ab"), false);
});
