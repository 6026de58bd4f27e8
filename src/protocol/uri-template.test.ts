import assert from "node:assert/strict";
import { test } from "node:test";
import { compileUriTemplate } from "./uri-template.ts";

for (const [template, matching, others] of [
  [
    "https://example.com/books/{id}",
    ["https://example.com/books/1", "https://example.com/books/", "https://example.com/books/a%2Fb"],
    ["https://example.com/books/1/x", "https://example.com/books", "https://example.com/authors/1"],
  ],
  ["{+path}/here", ["/foo/bar/here", "/here"], ["/foo/bar/there"]],
  ["/a{/b,c}", ["/a", "/a/1", "/a/1/2"], ["/ab", "/a?1"]],
  ["/search{?q,lang}", ["/search", "/search?q=cat&lang=en"], ["/search/q", "/searching"]],
  ["/x{#frag}", ["/x", "/x#a/b?c"], ["/xa"]],
  ["X{.var:3}", ["X", "X.val"], ["Xval"]],
  ["map{;x*}", ["map", "map;x=1;y=2"], ["map/x"]],
  ["{a}-{b}", ["1-2", "-", "1-2-3"], ["12"]],
  ["/quotes/{symbol}", ["/quotes/AAPL", "/quotes/Ä"], ["/quotes/A/B"]],
] as const) {
  test(`URI template: ${template} matches what it can expand to`, () => {
    const compiled = compileUriTemplate(template);
    assert.ok(compiled);
    for (const topic of matching) assert.equal(compiled.matches(topic), true, topic);
    for (const topic of others) assert.equal(compiled.matches(topic), false, topic);
  });
}

for (const template of ["{", "}", "{}", "a{b", "a}b", "{a{b}}", "{!x}", "{a,}", "{a:0}", "{a b}"]) {
  test(`URI template: ${template} is none`, () => assert.equal(compileUriTemplate(template), null));
}

test("attack: a template made to backtrack takes time linear in the topic", () => {
  const compiled = compileUriTemplate(`${"{+a}".repeat(16)}!`);
  assert.ok(compiled);
  let looked = 0;
  const topic = {
    *[Symbol.iterator]() {
      for (; looked < 1024; looked++) yield "a";
    },
  } as unknown as string;
  assert.equal(compiled.matches(topic), false);
  assert.equal(looked, 1024);
});
