import assert from "node:assert/strict";
import { test } from "node:test";
import { bearerChallenge, bearerToken, cookieValue } from "./mercure-challenge.ts";

test("challenge: without a token no error is named, with one it is", () => {
  assert.equal(bearerChallenge(null, "not shown"), 'Bearer realm="streamkeeper"');
  assert.equal(
    bearerChallenge("invalid_token", "sign in"),
    'Bearer realm="streamkeeper", error="invalid_token", error_description="sign in"',
  );
});

test("attack: a description can't end its string or the field", () => {
  const value = bearerChallenge("insufficient_scope", 'a"b\\c\r\nSet-Cookie: x=1\u00e9');
  assert.equal(
    value,
    'Bearer realm="streamkeeper", error="insufficient_scope", error_description="a\'bcSet-Cookie: x=1"',
  );
});

test("token: the scheme is read in any case, and only Bearer", () => {
  assert.equal(bearerToken("Bearer a.b-c_d="), "a.b-c_d=");
  assert.equal(bearerToken("bearer  abc"), "abc");
  for (const field of ["", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer é", "abc"]) {
    assert.equal(bearerToken(field), null, field);
  }
});

test("cookie: the first of the name counts, others are passed over", () => {
  assert.equal(cookieValue("a=1; token=x; token=y", "token"), "x");
  assert.equal(cookieValue('token="x"', "token"), "x");
  assert.equal(cookieValue("token=", "token"), "");
  assert.equal(cookieValue("xtoken=1; a; =b", "token"), null);
});
