import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePublishForm } from "./mercure-publish.ts";

test("update: every field of the draft is read, others are ignored", () => {
  assert.deepEqual(
    parsePublishForm(
      "topic=/a&topic=https%3A%2F%2Fx.example%2Fb&data=1%0A2&private=&id=urn:x:1&type=tick&retry=500&colour=red",
    ),
    {
      topics: ["/a", "https://x.example/b"],
      data: "1\n2",
      type: "tick",
      id: "urn:x:1",
      retryMs: 500,
      private: true,
    },
  );
});

test("update: a topic is enough", () => {
  assert.deepEqual(parsePublishForm("topic=/a"), {
    topics: ["/a"],
    data: "",
    type: "",
    id: null,
    retryMs: null,
    private: false,
  });
});

test("private: its presence counts, whatever its value", () => {
  for (const field of ["private", "private=", "private=off", "private=false"]) {
    assert.equal(parsePublishForm(`topic=/a&${field}`).private, true, field);
  }
});

const faults: [body: string, code: string, status: number][] = [
  ["", "no_topic", 400],
  ["data=1", "no_topic", 400],
  ["topic=", "bad_topic", 400],
  ["topic=*", "bad_topic", 400],
  ["topic=/a&topic=*", "bad_topic", 400],
  ["topic=/a%0Ab", "bad_topic", 400],
  ["topic=/a%E2%80%AE", "bad_topic", 400],
  [`topic=/${"a".repeat(1024)}`, "bad_topic", 400],
  ["topic=/a&data=%FF", "bad_encoding", 400],
  ["topic=/a&id=%23e.1", "bad_id", 400],
  ["topic=/a&id=earliest", "bad_id", 400],
  ["topic=/a&id=a%0Ab", "bad_id", 400],
  ["topic=/a&id=a%E2%80%8Bb", "bad_id", 400],
  [`topic=/a&id=${"x".repeat(1025)}`, "field_too_long", 413],
  ["topic=/a&type=mercure", "bad_type", 400],
  ["topic=/a&type=a%0D%0Adata:x", "bad_type", 400],
  [`topic=/a&type=${"x".repeat(257)}`, "field_too_long", 413],
  ["topic=/a&retry=-1", "bad_retry", 400],
  ["topic=/a&retry=1e3", "bad_retry", 400],
  ["topic=/a&retry=%D9%A1", "bad_retry", 400],
  ["topic=/a&".repeat(101), "too_many_topics", 413],
];

for (const [body, code, status] of faults) {
  test(`fault: ${JSON.stringify(body.slice(0, 40))} is ${code}`, () => {
    assert.throws(() => parsePublishForm(body), { code, status });
  });
}

test("attack: no spelling of the hub's own namespace gets past", () => {
  for (const topic of [
    "/.well-known/mercure",
    "/.well-known/mercure/subscriptions/exact/a/b",
    "https://elsewhere.example/.well-known/mercure/subscriptions",
    "/.well-known/%6Dercure/x",
    "/%2Ewell-known/mercure",
    "/.well-known/mercure/../mercure/x",
    "/.well-known/x/%2e%2e/mercure",
    "mercure",
    "//host/.well-known/mercure/",
    "/.well-known/mercure?x",
    "/.well-known/mercure/subscriptions#x",
    "\\.well-known\\mercure",
  ]) {
    assert.throws(
      () => parsePublishForm(`topic=/a&topic=${encodeURIComponent(topic)}`),
      { code: "reserved_topic" },
      topic,
    );
  }
});

test("update: what only looks like the hub's namespace may be published", () => {
  for (const topic of [
    "/.well-known/mercurex",
    "/x/.well-known/mercure",
    "https://[",
    "/.well-known/Mercure",
  ]) {
    assert.deepEqual(parsePublishForm(`topic=${encodeURIComponent(topic)}`).topics, [topic]);
  }
});
