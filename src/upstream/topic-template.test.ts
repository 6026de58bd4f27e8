import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { topicFault } from "#protocol/topic.ts";
import { compileTopicTemplate } from "./topic-template.ts";

describe("topic template", () => {
  const quotes = compileTopicTemplate("/quotes/{key}/live");

  for (const [key, topic] of [
    ["AAPL", "/quotes/AAPL/live"],
    ["BTC-USD", "/quotes/BTC-USD/live"],
    ["EURUSD=X", "/quotes/EURUSD=X/live"],
    ["a$b&c+d,e;f:g@h!i'j(k)l*m", "/quotes/a$b&c+d,e;f:g@h!i'j(k)l*m/live"],
    ["BRK/B", "/quotes/BRK%2FB/live"],
    ["^GSPC", "/quotes/%5EGSPC/live"],
    ["50%", "/quotes/50%25/live"],
    ["a $", "/quotes/a%20$/live"],
    ["café", "/quotes/caf%C3%A9/live"],
    ["\u0000", "/quotes/%00/live"],
  ] as const) {
    test(`topic template: the key ${JSON.stringify(key)} is spelt ${topic}`, () => {
      assert.equal(quotes.expand(key), topic);
      assert.equal(quotes.match(topic), key);
    });
  }

  test("topic template: only one spelling of a key is its topic", () => {
    for (const topic of [
      "/quotes/%41/live",
      "/quotes/%5eGSPC/live",
      "/quotes/^GSPC/live",
      "/quotes/%zz/live",
      "/quotes/%FF/live",
    ]) {
      assert.equal(quotes.match(topic), null, topic);
    }
  });

  test("topic template: other topics are not its own", () => {
    for (const topic of [
      "/quotes//live",
      "/quotes/live",
      "/quotes/a/b/live",
      "/quotes/A",
      "/other/A/live",
      "",
    ]) {
      assert.equal(quotes.match(topic), null, topic);
    }
  });

  test("topic template: keys and topics stand for each other, one to one", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 30 }), (key) => {
        const topic = quotes.expand(key);
        if (topic === null) assert.ok(key === "" || key === "." || key === "..");
        else {
          assert.equal(topicFault(topic), null);
          assert.equal(quotes.match(topic), key);
        }
      }),
    );
  });

  test("topic template: without a key there is one topic", () => {
    const news = compileTopicTemplate("/news");
    assert.equal(news.match("/news"), "");
    assert.equal(news.match("/newsroom"), null);
    assert.equal(news.expand("anything"), "/news");
  });

  test("topic template: two keys, an empty one and control characters are refused", () => {
    for (const template of ["/{key}/{key}", "", "/a\u0007/{key}", "*"]) {
      assert.throws(() => compileTopicTemplate(template), { code: "topic_template_invalid" });
    }
  });
});
