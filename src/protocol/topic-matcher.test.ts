import assert from "node:assert/strict";
import { test } from "node:test";
import { compileMatcher, grantMatcher, MatcherError, URL_PATTERN_LENGTH_MAX } from "./topic-matcher.ts";

test("exact: matches its topic, byte for byte, and nothing else", () => {
  const matcher = compileMatcher("exact", "/quotes/AAPL");
  assert.equal(matcher.matches("/quotes/AAPL"), true);
  assert.equal(matcher.matches("/quotes/aapl"), false);
  assert.equal(matcher.matches("/quotes/AAPL/"), false);
  assert.equal(matcher.matches("https://hub.invalid/quotes/AAPL"), false);
});

test("exact: pattern syntax has no meaning in it", () => {
  const matcher = compileMatcher("exact", "https://example.com/books/:id");
  assert.equal(matcher.matches("https://example.com/books/:id"), true);
  assert.equal(matcher.matches("https://example.com/books/1"), false);
});

test("'*': matches every topic, whatever the type", () => {
  for (const type of ["any", "exact", "urlpattern"] as const) {
    const matcher = compileMatcher(type, "*");
    assert.equal(matcher.type, "any");
    assert.equal(matcher.matches("/quotes/AAPL"), true);
    assert.equal(matcher.matches("urn:isbn:1"), true);
  }
});

test("key: is unique for type and pattern", () => {
  const keys = [
    compileMatcher("exact", "/a").key,
    compileMatcher("urlpattern", "/a").key,
    compileMatcher("exact", "/b").key,
    compileMatcher("any", "*").key,
    compileMatcher("exact", "any:*").key,
  ];
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(compileMatcher("exact", "/a"), compileMatcher("exact", "/a"));
});

test("cache: holds on to a bounded number of compiled patterns", () => {
  const first = compileMatcher("exact", "/cache/first");
  for (let index = 0; index < 5000; index++) compileMatcher("exact", `/cache/${index}`);
  assert.notEqual(compileMatcher("exact", "/cache/first"), first);
  assert.equal(compileMatcher("exact", "/cache/first").key, first.key);
});

test("fault: control, format and surrogate characters, and the empty topic, are refused", () => {
  for (const pattern of ["", "/a\n", "/a\u0000", "/a\u0085", "/a\u200b", "/a\ud800"]) {
    for (const type of ["exact", "urlpattern"] as const) {
      assert.throws(() => compileMatcher(type, pattern), { code: "bad_matcher" }, JSON.stringify(pattern));
    }
  }
});

test("fault: a pattern that is too long is refused before it is compiled", () => {
  assert.throws(() => compileMatcher("exact", `/${"a".repeat(1024)}`), { code: "matcher_too_long" });
  assert.throws(() => compileMatcher("urlpattern", `/${"a".repeat(URL_PATTERN_LENGTH_MAX)}`), {
    code: "matcher_too_long",
  });
});

test("attack: a regular expression in a URL pattern is refused", () => {
  for (const pattern of ["/a/(b+)+", "/:id(\\d+)", "https://(.*x).example.com/"]) {
    assert.throws(() => compileMatcher("urlpattern", pattern), MatcherError, pattern);
    assert.throws(() => compileMatcher("urlpattern", pattern), { code: "unsafe_matcher" }, pattern);
  }
});

test("attack: more wildcards than the bound are refused", () => {
  assert.throws(() => compileMatcher("urlpattern", `/${"*a".repeat(17)}`), { code: "unsafe_matcher" });
  assert.equal(compileMatcher("urlpattern", `/${"*a".repeat(16)}`).matches(`/${"xa".repeat(16)}`), true);
});

test("grant: what holds pattern syntax is a URL pattern, all else one topic", () => {
  const types = {
    "*": "any",
    "/quotes/*": "urlpattern",
    "/quotes/:symbol": "urlpattern",
    "https://:tenant.example.com/x": "urlpattern",
    "/quotes{/:symbol}?": "urlpattern",
    "/quotes/AAPL": "exact",
    "urn:isbn:0451450523": "exact",
    "https://example.com:8443/books": "exact",
  } as const;
  for (const [text, type] of Object.entries(types)) assert.equal(grantMatcher(text).type, type, text);
});
