import assert from "node:assert/strict";
import fc from "fast-check";
import { AuthError } from "#auth/auth-error.ts";
import {
  DETAIL_TOPICS_MAX,
  DETAILS_MAX,
  type DetailGrants,
  grantsOfDetails,
} from "#auth/authorization-details.ts";
import type { Grants } from "#auth/identity.ts";
import { grantsOfMercureClaim } from "#auth/mercure-claim.ts";
import { compileMatcher } from "#protocol/topic-matcher.ts";
import { allows } from "./protocol-targets.ts";
import type { FuzzTarget } from "./target.ts";

const TYPE = "https://mercure.rocks/authorization-detail";

/** An entry that was accepted, read literally: what it names, and how. */
interface Entry {
  readonly actions: readonly string[];
  readonly topics: readonly { readonly match: string; readonly type: string }[];
  readonly payload: unknown;
}

/** Actions whose payload counts; the older claim's goes with every topic, without granting it. */
const PAYING: ReadonlySet<string> = new Set(["subscribe", "every topic"]);

/**
 * The claims of a token that say what it may do. They are signed, so that mutated tokens never get here (`tokens`); but an
 * issuer writes what it likes. A claim is refused, or it grants what its entries say, no more and no less.
 */
export const CLAIMS_TARGET: FuzzTarget = {
  name: "claims",
  captures: [
    [
      { type: TYPE, actions: ["subscribe", "publish"], topics: [{ match: "/a" }, { match: "*" }] },
      { type: "payment", actions: "any" },
    ],
    [
      {
        type: TYPE,
        actions: ["subscribe"],
        topics: [
          { match: "/quotes/:symbol", match_type: "urlpattern" },
          { match: "/b", match_type: "exact" },
        ],
        payload: { name: "ann" },
      },
      { type: TYPE, actions: ["publish", "other"], topics: [{ match: "/chat/*", match_type: "urlpattern" }] },
    ],
    { subscribe: ["/a", "/quotes/{symbol}"], publish: ["*"], payload: { name: "ann" } },
    { subscribe: [], publish: null },
  ].map((claim) => Buffer.from(JSON.stringify(claim))),
  generated: claims().map((claim) => Buffer.from(JSON.stringify(claim))),
  check(input) {
    const claim = allows([SyntaxError], (): unknown => JSON.parse(input.toString()));
    const topics = topicsFor(claim);
    const details = allows([AuthError], () => grantsOfDetails(claim));
    if (details !== undefined)
      agrees(details, entriesOfDetails(claim), topics, DETAILS_MAX * DETAIL_TOPICS_MAX);
    const old = allows([AuthError], () => grantsOfMercureClaim(claim));
    if (old !== undefined) agrees(old, entriesOfOldClaim(claim), topics, DETAIL_TOPICS_MAX);
  },
};

function agrees(
  granted: DetailGrants,
  entries: readonly Entry[],
  topics: ReadonlySet<string>,
  max: number,
): void {
  const { payloads } = granted;
  const withPayload = entries.filter(
    ({ actions, payload }) => payload !== undefined && actions.some((action) => PAYING.has(action)),
  );
  assert.deepEqual(
    payloads.map(({ payload }) => payload),
    withPayload.map(({ payload }) => payload),
  );
  const compare = (grants: Grants, named: readonly Entry[], what: string): void => {
    assert.ok(grants.matchers.length <= max, "a token's grants are bounded");
    for (const topic of topics) {
      const isNamed = named.some((entry) => entry.topics.some((each) => names(each, topic)));
      assert.equal(grants.covers(topic), isNamed, `${what} of ${JSON.stringify(topic)}`);
      assert.equal(grants.covers(topic), isNamed, "and the same again, when it is remembered");
    }
  };
  for (const action of ["subscribe", "publish"] as const) {
    const named = entries.filter(({ actions }) => actions.includes(action));
    compare(granted[action], named, action);
  }
  payloads.forEach((payload, at) => {
    compare(payload.topics, [withPayload[at] as Entry], "payload");
  });
}

/** Written anew, and not by the matcher's own rules where a comparison of texts will do. */
function names({ match, type }: Entry["topics"][number], topic: string): boolean {
  if (match === "*") return true;
  if (type === "exact") return match === topic;
  return compileMatcher(type === "urlpattern" ? "urlpattern" : "uritemplate", match).matches(topic);
}

// biome-ignore lint/suspicious/noExplicitAny: it was accepted, so it has the shape that it must have
function entriesOfDetails(claim: any): Entry[] {
  return [...(claim ?? [])]
    .filter(({ type }) => type === TYPE)
    .map(({ actions, topics, payload }) => ({
      actions,
      topics: topics.map((topic: { match: string; match_type?: string | null }) => ({
        match: topic.match,
        type: topic.match_type ?? "exact",
      })),
      payload,
    }));
}

// biome-ignore lint/suspicious/noExplicitAny: it was accepted, so it has the shape that it must have
function entriesOfOldClaim({ subscribe, publish, payload }: any): Entry[] {
  const entry = (action: string, selectors: readonly string[] | null | undefined): Entry => ({
    actions: [action],
    topics: (selectors ?? []).map((match) => ({ match, type: /[{}]/.test(match) ? "template" : "exact" })),
    payload: undefined,
  });
  const granted = [entry("subscribe", subscribe), entry("publish", publish)];
  return [...granted, { actions: ["every topic"], topics: [{ match: "*", type: "exact" }], payload }];
}

/** What to ask grants for: every text of the claim, some that are near, and some that nobody named. */
function topicsFor(claim: unknown): Set<string> {
  const topics = new Set([
    "",
    "/",
    "/a",
    "/a/b",
    "/quotes/AAPL",
    "*",
    "constructor",
    "https://example.com/a",
  ]);
  const visit = (value: unknown, depth: number): void => {
    if (topics.size >= 40 || depth > 6) return;
    if (typeof value === "string") topics.add(value).add(`${value}/x`).add(value.slice(0, -1));
    else if (typeof value === "object" && value !== null) {
      for (const each of Object.values(value)) visit(each, depth + 1);
    }
  };
  visit(claim, 0);
  return topics;
}

/** Claims of either kind that are mostly right: a byte that is changed hardly ever leaves JSON as JSON. */
function claims(): fc.Arbitrary<unknown> {
  const anything = fc.jsonValue({ maxDepth: 2 });
  const mostly = <Value>(right: fc.Arbitrary<Value>): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 30, arbitrary: right as fc.Arbitrary<unknown> }, { weight: 1, arbitrary: anything });
  const piece = fc.constantFrom("a", "b", ":name", "*", "{x}", "{/x*}", "%2F", "..", "é", "__proto__", "");
  const topic = fc.oneof(
    fc.constant("*"),
    fc.array(piece, { maxLength: 4 }).map((pieces) => `/${pieces.join("/")}`),
    fc.string({ maxLength: 12 }),
  );
  const action = fc.constantFrom("subscribe", "publish", "other", "Subscribe", "");
  const detail = fc.record(
    {
      type: mostly(fc.constantFrom(TYPE, TYPE, TYPE, `${TYPE}/`, "payment")),
      actions: mostly(fc.array(mostly(action), { maxLength: 4 })),
      topics: mostly(
        fc.array(
          mostly(
            fc.record(
              {
                match: mostly(topic),
                match_type: mostly(fc.constantFrom("exact", "urlpattern", "any", "uritemplate", null)),
              },
              { requiredKeys: ["match"] },
            ),
          ),
          { maxLength: 4 },
        ),
      ),
      payload: mostly(fc.dictionary(fc.string({ maxLength: 4 }), anything, { maxKeys: 2 })),
    },
    { requiredKeys: ["type", "actions", "topics"] },
  );
  const selectors = mostly(fc.array(mostly(topic), { maxLength: 5 }));
  return fc.oneof(
    fc.array(mostly(detail), { maxLength: 4 }),
    fc.array(detail, { minLength: DETAILS_MAX - 1, maxLength: DETAILS_MAX + 1, size: "max" }),
    fc.record(
      { subscribe: selectors, publish: selectors, payload: mostly(fc.object({ maxDepth: 1 })) },
      { requiredKeys: [] },
    ),
    anything,
  );
}
