import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileMatcher, type TopicMatcher } from "#protocol/topic-matcher.ts";
import { grantsFromTexts, grantsOf, NO_GRANTS } from "./grants.ts";
import { type Identity, isRevokedBy } from "./identity.ts";
import { mayPublish, mayReceive, maySubscribe, type OpenAccess } from "./policy.ts";

const open: OpenAccess = {
  anonymous: grantsFromTexts(["/public/*"]),
  hasPublicTopics: false,
  isPublicTopic: (topic) => topic.startsWith("/weather/"),
};
const closed: OpenAccess = { anonymous: NO_GRANTS, hasPublicTopics: false, isPublicTopic: () => false };

const identity = (subscribe: readonly string[], change: Partial<Identity> = {}): Identity => ({
  kind: "user",
  user: "ada",
  role: "trader",
  subscribe: grantsFromTexts(subscribe),
  publish: NO_GRANTS,
  admin: false,
  tokenId: "t1",
  sessionId: "s1",
  expiresAtMs: null,
  ...change,
});
const anonymous = identity(["/public/*"], {
  kind: "anonymous",
  user: "",
  role: null,
  tokenId: null,
  sessionId: null,
});

const exact = (topic: string): TopicMatcher => compileMatcher("exact", topic);
const pattern = (text: string): TopicMatcher => compileMatcher("urlpattern", text);
const everything = compileMatcher("any", "*");

test("maySubscribe: an exact topic needs a grant of the identity's or everybody's, or a public feed", () => {
  const trader = identity(["/quotes/*"]);
  assert.equal(maySubscribe(trader, exact("/quotes/AAPL"), open), true);
  assert.equal(maySubscribe(trader, exact("/public/a"), open), true);
  assert.equal(maySubscribe(trader, exact("/weather/x"), open), true);
  assert.equal(maySubscribe(trader, exact("/news/x"), open), false);
  assert.equal(maySubscribe(anonymous, exact("/quotes/AAPL"), open), false);
});

test("maySubscribe: a pattern is let in when there is anything that it could bring", () => {
  assert.equal(maySubscribe(identity(["/quotes/*"]), everything, closed), true);
  assert.equal(maySubscribe(identity([]), pattern("/quotes/:x"), open), true);
  assert.equal(maySubscribe(identity([]), everything, closed), false);
  assert.equal(maySubscribe(identity([]), everything, { ...closed, hasPublicTopics: true }), true);
});

test("mayReceive: a pattern brings only what is granted, whatever it matches", () => {
  const trader = identity(["/quotes/*"]);
  const event = (topics: string[]) => ({ topics, private: false });
  assert.equal(mayReceive(trader, event(["/quotes/AAPL"]), everything, open), true);
  assert.equal(mayReceive(trader, event(["/news/1"]), everything, open), false);
  assert.equal(mayReceive(trader, event(["/news/1", "/quotes/AAPL"]), everything, open), true);
  assert.equal(mayReceive(anonymous, event(["/quotes/AAPL"]), pattern("/quotes/*"), open), false);
  assert.equal(mayReceive(anonymous, event(["/weather/x"]), everything, open), true);
});

test("mayReceive: a private event never goes to anonymous, nor by what everybody may have", () => {
  const event = { topics: ["/public/a", "/users/7/inbox"], private: true };
  assert.equal(mayReceive(anonymous, event, exact("/public/a"), open), false);
  assert.equal(mayReceive(identity([]), event, exact("/public/a"), open), false);
  assert.equal(mayReceive(identity(["/users/7/*"]), event, exact("/public/a"), open), true);
  assert.equal(mayReceive(identity(["/users/8/*"]), event, everything, open), false);
});

test("mayPublish: every topic must be granted, and anonymous never publishes", () => {
  const publisher = identity([], { publish: grantsFromTexts(["/news/*"]) });
  assert.equal(mayPublish(publisher, ["/news/1", "/news/2"]), true);
  assert.equal(mayPublish(publisher, ["/news/1", "/quotes/AAPL"]), false);
  assert.equal(mayPublish(publisher, []), false);
  assert.equal(mayPublish({ ...publisher, kind: "anonymous" }, ["/news/1"]), false);
});

test("grants: answers are the matchers' own, remembered or not", () => {
  const matchers = [pattern("/a/:x"), exact("/b/1")];
  const grants = grantsOf(matchers, 3);
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom("/a/1", "/a/2", "/a/3", "/a/1/2", "/b/1", "/b/2", "c")),
      (topics) => {
        for (const topic of topics) {
          assert.equal(
            grants.covers(topic),
            matchers.some((matcher) => matcher.matches(topic)),
          );
        }
      },
    ),
  );
});

test("isRevokedBy: its session or its token is among them, and anonymous is never meant", () => {
  const ada = identity([]);
  const filter = (sessionIds: string[], tokenIds: string[] = []) => ({
    sessionIds: new Set(sessionIds),
    tokenIds: new Set(tokenIds),
  });
  assert.equal(isRevokedBy(ada, filter(["s0", "s1"])), true);
  assert.equal(isRevokedBy(ada, filter(["s2"], ["t1"])), true);
  assert.equal(isRevokedBy(ada, filter(["s2", "t1"], ["t2", "s1"])), false);
  assert.equal(isRevokedBy(ada, filter([])), false);
  assert.equal(isRevokedBy({ ...anonymous, sessionId: "s1" }, filter(["s1"])), false);
});
