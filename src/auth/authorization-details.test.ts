import assert from "node:assert/strict";
import { test } from "node:test";
import { AuthError } from "./auth-error.ts";
import { DETAIL_TOPICS_MAX, DETAILS_MAX, grantsOfDetails } from "./authorization-details.ts";

const TYPE = "https://mercure.rocks/authorization-detail";
const detail = (change: object = {}) => ({
  type: TYPE,
  actions: ["subscribe"],
  topics: [{ match: "/a" }],
  ...change,
});

test("details: actions and topics become grants, exact unless told otherwise", () => {
  const { subscribe, publish } = grantsOfDetails([
    detail({ topics: [{ match: "/books/:id" }, { match: "/quotes/:id", match_type: "urlpattern" }] }),
    detail({ actions: ["publish", "subscribe"], topics: [{ match: "/both", match_type: "exact" }] }),
  ]);
  assert.equal(subscribe.covers("/books/1"), false);
  assert.equal(subscribe.covers("/books/:id"), true);
  assert.equal(subscribe.covers("/quotes/1"), true);
  assert.equal(subscribe.covers("/both"), true);
  assert.equal(publish.covers("/both"), true);
  assert.equal(publish.covers("/quotes/1"), false);
});

test("details: * is every topic whatever its match_type", () => {
  for (const topic of [
    { match: "*" },
    { match: "*", match_type: "exact" },
    { match: "*", match_type: "urlpattern" },
  ]) {
    assert.equal(grantsOfDetails([detail({ topics: [topic] })]).subscribe.covers("anything"), true);
  }
});

test("details: none, other types and unknown actions grant nothing and reject nothing", () => {
  for (const claim of [
    undefined,
    [],
    [{ type: "payment", amount: 1 }],
    [{ type: TYPE.toUpperCase(), actions: 7 }],
    [detail({ actions: ["frobnicate"] })],
  ]) {
    const { subscribe, publish } = grantsOfDetails(claim);
    assert.equal(subscribe.covers("/a") || publish.covers("/a"), false);
  }
});

test("details: payloads keep their order, those without the action subscribe are left out", () => {
  const { payloads } = grantsOfDetails([
    detail({ payload: { n: 1 } }),
    detail({ actions: ["publish"], payload: { n: 2 } }),
    detail({ topics: [{ match: "*" }], payload: { n: 3 } }),
  ]);
  assert.deepEqual(
    payloads.map(({ payload }) => payload),
    [{ n: 1 }, { n: 3 }],
  );
});

const MALFORMED: [name: string, claim: unknown][] = [
  ["no array", { 0: detail() }],
  ["null", null],
  ["an entry that is no object", [detail(), "x"]],
  ["an entry without type", [{ actions: ["subscribe"] }]],
  ["actions missing", [detail({ actions: undefined })]],
  ["actions empty", [detail({ actions: [] })]],
  ["an action that is no string", [detail({ actions: ["subscribe", 1] })]],
  ["topics missing", [detail({ topics: undefined })]],
  ["topics empty", [detail({ topics: [] })]],
  ["a topic that is a string", [detail({ topics: ["/a"] })]],
  ["a topic without match", [detail({ topics: [{ match_type: "exact" }] })]],
  ["an unknown match_type", [detail({ topics: [{ match: "/a", match_type: "regexp" }] })]],
  ["the internal match_type any", [detail({ topics: [{ match: "/a", match_type: "any" }] })]],
  ["a match_type of other case", [detail({ topics: [{ match: "/a", match_type: "Exact" }] })]],
  ["an unsafe pattern", [detail({ topics: [{ match: "/(a+)+", match_type: "urlpattern" }] })]],
  ["a topic with a line break", [detail({ topics: [{ match: "/a\nid: 1" }] })]],
  ["a topic that is too long", [detail({ topics: [{ match: `/${"a".repeat(5000)}` }] })]],
  ["a payload that is no object", [detail({ payload: [1] })]],
  ["too many topics", [detail({ topics: new Array(DETAIL_TOPICS_MAX + 1).fill({ match: "/a" }) })]],
  ["too many details", new Array(DETAILS_MAX + 1).fill(detail())],
  ["a bad one after a good one", [detail(), detail({ topics: [] })]],
  ["a bad one for an unknown action", [detail({ actions: ["frobnicate"], topics: [{ match: 1 }] })]],
];
for (const [name, claim] of MALFORMED) {
  test(`details, malformed: ${name} rejects the whole token`, () => {
    assert.throws(
      () => grantsOfDetails(claim),
      (error) => error instanceof AuthError && error.code === "invalid_token",
    );
  });
}
