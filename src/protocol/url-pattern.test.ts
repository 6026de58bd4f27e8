import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { compileUrlPattern, HUB_URL, resolvedPathOf } from "./url-pattern.ts";

function matcherOf(pattern: string): (topic: string) => boolean {
  const result = compileUrlPattern(pattern);
  assert.ok(result.outcome === "compiled", `${pattern}: ${result.outcome}`);
  return result.matches;
}

const table: [pattern: string, matching: string[], other: string[]][] = [
  [
    "/quotes/*",
    ["/quotes/AAPL", "/quotes/", "/quotes/a/b", "/x/../quotes/A"],
    ["/quotes", "/quote/AAPL", "/quotes/../x"],
  ],
  ["/quotes/:symbol", ["/quotes/AAPL"], ["/quotes/", "/quotes/a/b"]],
  ["/a/:b?", ["/a", "/a/b"], ["/a/", "/a/b/c", "/ab"]],
  ["/a/:b+/z", ["/a/b/z", "/a/b/c/z"], ["/a/z", "/a//z"]],
  ["/a/:b*", ["/a", "/a/b/c"], ["/a/"]],
  ["/a{-x}*", ["/a", "/a-x-x"], ["/a-", "/a-xx"]],
  ["/a/{b-:c}?-d", ["/a/-d", "/a/b-z-d"], ["/a/b--d/", "/a/b-d"]],
  [
    "https://example.com/books/:id",
    ["https://example.com/books/1", "https://EXAMPLE.com/books/1"],
    ["https://example.com/books/1/x", "/books/1", "http://example.com/books/1"],
  ],
  ["https://*.example.com/x", ["https://a.b.example.com/x"], ["https://example.com/x"]],
  ["https://:tenant.example.com/x", ["https://a.example.com/x"], ["https://a.b.example.com/x"]],
  ["http{s}?://example.com/*", ["http://example.com/", "https://example.com/a"], ["ftp://example.com/a"]],
  ["/é/*", ["/é/x", "/%C3%A9/x"], ["/e/x"]],
  ["/a?x=*", ["/a?x=1"], ["/a", "/a?y=1"]],
  ["mailto\\:*@example.com", ["mailto:me@example.com"], ["mailto:me@example.org"]],
  ["/Case", ["/Case"], ["/case"]],
];

for (const [pattern, matching, other] of table) {
  test(`URL pattern ${pattern}: matches what it should and no more`, () => {
    const matches = matcherOf(pattern);
    for (const topic of matching) assert.equal(matches(topic), true, topic);
    for (const topic of other) assert.equal(matches(topic), false, topic);
  });
}

test("URL pattern: answers as the platform's own URLPattern does", () => {
  const piece = fc.constantFrom(
    "/",
    "a",
    "b",
    "-",
    ".",
    ":n",
    ":m?",
    ":k+",
    ":j*",
    "*",
    "{a}?",
    "{/b}+",
    "{-:g}*",
    "{a*b}?",
    "%41",
    "é",
    "?q",
    "#h",
    "..",
  );
  const pattern = fc.array(piece, { minLength: 1, maxLength: 8 }).map((pieces) => `/${pieces.join("")}`);
  const topicPiece = fc.constantFrom("/", "a", "b", "-", ".", "A", "é", "%41", "?q", "#h", "..", "x");
  const topic = fc.array(topicPiece, { maxLength: 8 }).map((pieces) => `/${pieces.join("")}`);
  let compared = 0;
  fc.assert(
    fc.property(pattern, fc.array(topic, { minLength: 8, maxLength: 8 }), (text, topics) => {
      const result = compileUrlPattern(text);
      if (result.outcome !== "compiled") return;
      const platform = new URLPattern(text, HUB_URL);
      for (const each of topics) {
        assert.equal(result.matches(each), platform.test(each, HUB_URL), `${text} on ${each}`);
        compared++;
      }
    }),
    { numRuns: 1000, seed: 8 },
  );
  assert.ok(compared > 3000, `only ${compared} comparisons`);
});

test("URL pattern: every prefix of a full pattern matches or not as the platform says", () => {
  const full = "/a/:b/c{-:d}?/*/e";
  const topic = "/a/1/c-2/x/y/e";
  for (let length = 1; length <= topic.length; length++) {
    const cut = topic.slice(0, length);
    assert.equal(matcherOf(full)(cut), new URLPattern(full, HUB_URL).test(cut, HUB_URL), cut);
  }
});

test("attack: patterns that make a backtracking matcher exponential take linear time", () => {
  // 1,000 characters: with backtracking each of these would run longer than the universe is old.
  const topic = `/${"a".repeat(1000)}!`;
  const startedMs = performance.now();
  for (const pattern of ["/{a:x}+{a:y}+b", "/{:x}+{:y}+{:z}+b", "/*a*a*a*a*a*a*a*a*a*a*b", "/{a*}*{a*}*b"]) {
    assert.equal(matcherOf(pattern)(topic), false, pattern);
  }
  assert.ok(performance.now() - startedMs < 1000, "took more than a second");
});

test("outcome: what the platform can't parse is malformed, regular expressions are named as such", () => {
  assert.equal(compileUrlPattern("/{a").outcome, "malformed");
  assert.equal(compileUrlPattern("https://[").outcome, "malformed");
  assert.equal(compileUrlPattern("/(a|b)").outcome, "regexp");
});

test("URL pattern: a topic that is no URL is not matched by any", () => {
  assert.equal(matcherOf("/*")("https://["), false);
  assert.equal(matcherOf("https://*:*/*")("http://a:99999999/"), false);
});

test("resolved path: dot segments and the hub's own base are taken into account", () => {
  assert.equal(resolvedPathOf("/.well-known/mercure/../mercure/x"), "/.well-known/mercure/x");
  assert.equal(resolvedPathOf("mercure"), "/.well-known/mercure");
  assert.equal(resolvedPathOf("https://["), null);
});
