import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSubscribeRequest } from "./mercure-subscribe.ts";

function parse(query: string, field?: string) {
  return parseSubscribeRequest(query, field, { matchersMax: 3 });
}

test("matchers: match, match_exact and match_urlpattern, each once however often it is said", () => {
  const { matchers } = parse("match=/a&match_exact=%2Fa&match_urlpattern=/b/*");
  assert.deepEqual(
    matchers.map((matcher) => matcher.key),
    ["exact:/a", "urlpattern:/b/*"],
  );
});

test("matchers: '*' is every topic, whatever the parameter's name", () => {
  for (const name of ["match", "match_exact", "match_urlpattern"]) {
    assert.deepEqual(
      parse(`${name}=*`).matchers.map((matcher) => matcher.type),
      ["any"],
    );
  }
});

test("matchers: form encoding is undone: plus, percent, UTF-8", () => {
  const { matchers } = parse("match=/a+b%2Bc%C3%A9&match=/100%");
  assert.deepEqual(
    matchers.map((matcher) => matcher.pattern),
    ["/a b+cé", "/100%"],
  );
});

test("fault: the whole 'match' namespace is reserved, in any case", () => {
  for (const name of [
    "match_regexp",
    "Match",
    "MATCH_EXACT",
    "match_URLPattern",
    "matchmaker",
    "match%5Fhost",
    "match_",
  ]) {
    assert.throws(() => parse(`match=/a&${name}=/b`), { code: "unknown_matcher_type", status: 400 }, name);
  }
});

test("fault: no matcher at all, too many, a bad one", () => {
  assert.throws(() => parse(""), { code: "no_matcher" });
  assert.throws(() => parse("last_event_id=1&topic=/a"), { code: "no_matcher" });
  assert.throws(() => parse("match=/a&match=/b&match=/c&match=/d"), { code: "too_many_matchers" });
  const patterns = Array.from({ length: 51 }, (_, index) => `match_urlpattern=/${index}/*`);
  const wide = (query: readonly string[]) =>
    parseSubscribeRequest(query.join("&"), undefined, { matchersMax: 500 });
  assert.equal(wide([...patterns.slice(1), "match=/a", "match=*"]).matchers.length, 52);
  assert.throws(() => wide(patterns), { code: "too_many_matchers" });
  const costly = Array.from({ length: 9 }, (_, index) => `match_urlpattern=/${index}/:a/:b/:c`);
  assert.equal(wide(costly.slice(1)).matchers.length, 8);
  assert.throws(() => wide(costly), { code: "too_many_matchers" });
  assert.throws(() => parse("match=/a&match=/a&match=/a&match=/a"), { code: "too_many_matchers" });
  for (const query of [
    "match=",
    "match",
    "match=/a%0A",
    "match=%E2%80%8B",
    "match_urlpattern=/(a)",
    "match_urlpattern=/{a",
  ]) {
    assert.throws(() => parse(query), { code: "bad_matcher" }, query);
  }
});

test("fault: bytes that are not UTF-8 are refused, not replaced", () => {
  for (const value of ["%FF", "%C3", "%ED%A0%80", "\xff"]) {
    assert.throws(() => parse(`match=/${value}`), { code: "bad_encoding" }, value);
  }
});

test("attack: thousands of empty fields are refused", () => {
  assert.throws(() => parse(`match=/a&${"x&".repeat(5000)}`), { code: "too_many_fields" });
});

test("last event id: the field wins over the parameter, empty ones are none", () => {
  assert.equal(parse("match=/a").lastEventId, null);
  assert.equal(parse("match=/a&last_event_id=").lastEventId, null);
  assert.equal(parse("match=/a&last_event_id=%23e.7").lastEventId, "#e.7");
  assert.equal(parse("match=/a&last_event_id=%23e.7", "#e.9").lastEventId, "#e.9");
  assert.equal(parse("match=/a&last_event_id=%23e.7", "").lastEventId, "#e.7");
  assert.equal(parse("match=/a&last_event_id=earliest").lastEventId, "earliest");
  assert.equal(parse("match=/a", "\xc3\xa9").lastEventId, "é");
});

test("attack: an endless last event id is cut, and no fault that would end a browser's retries", () => {
  assert.equal(parse(`match=/a&last_event_id=${"x".repeat(9000)}`).lastEventId?.length, 1025);
});

test("heartbeat: comments alone, or events too; nothing else", () => {
  assert.equal(parse("match=/a").heartbeatEvents, false);
  assert.equal(parse("match=/a&heartbeat=event").heartbeatEvents, true);
  assert.throws(() => parse("match=/a&heartbeat=often"), { code: "bad_heartbeat" });
});
