import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthError } from "./auth-error.ts";
import { grantsOfMercureClaim } from "./mercure-claim.ts";

test("mercure claim: topics, templates and * grant what they match", () => {
  const { subscribe, publish, payloads } = grantsOfMercureClaim({
    subscribe: ["/users/42", "/books/{id}"],
    publish: ["*"],
    payload: { name: "ann" },
  });
  assert.deepEqual(
    ["/users/42", "/books/1", "/books/1/x", "/users/43"].map((topic) => subscribe.covers(topic)),
    [true, true, false, false],
  );
  assert.equal(publish.covers("/anything"), true);
  assert.deepEqual(
    payloads.map(({ payload }) => payload),
    [{ name: "ann" }],
  );
  assert.equal(payloads[0]?.topics.covers("/users/42"), true);
});

test("mercure claim: what is not granted is not", () => {
  const { subscribe, publish, payloads } = grantsOfMercureClaim({ subscribe: [] });
  assert.deepEqual([subscribe.covers("/a"), publish.covers("/a"), payloads], [false, false, []]);
});

for (const [what, claim] of [
  ["no object", "all"],
  ["a list", []],
  ["topics that are no list", { subscribe: "*" }],
  ["a topic that is no text", { publish: [1] }],
  ["an empty topic", { subscribe: [""] }],
  ["a broken template", { subscribe: ["/a/{b"] }],
  ["too many topics", { subscribe: Array(257).fill("/a") }],
  ["a payload that is no object", { payload: "x" }],
] as const) {
  test(`mercure claim: ${what} rejects the token`, () => {
    assert.throws(() => grantsOfMercureClaim(claim), AuthError);
  });
}
