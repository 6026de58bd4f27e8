import assert from "node:assert/strict";
import { test } from "node:test";
import { readRequest } from "./request.ts";

const read = (target: string, lastEventId?: string, method = "GET") =>
  readRequest(method, target, lastEventId, ["AAPL", "MSFT"]);

test("demo feed request: symbols are a list, doubles count once, percent-encoding is undone", () => {
  assert.deepEqual(read("/quotes?symbols=MSFT,AAPL,MSFT"), {
    ok: true,
    symbols: ["MSFT", "AAPL"],
    lastNumber: null,
  });
  assert.deepEqual(read("/quotes?symbols=%41APL%2CMSFT", "17"), {
    ok: true,
    symbols: ["AAPL", "MSFT"],
    lastNumber: 17,
  });
});

test("demo feed request: an id that is not ours counts as none", () => {
  for (const id of ["", "abc", "-1", "1.5", "9".repeat(16), "1 2"]) {
    assert.deepEqual(read("/quotes?symbols=AAPL", id), { ok: true, symbols: ["AAPL"], lastNumber: null }, id);
  }
});

test("demo feed request: what cannot be served is refused with what to do instead", () => {
  const refused = (target: string, status: number, text: RegExp, method?: string) => {
    const answer = read(target, undefined, method);
    assert.ok(!answer.ok);
    assert.equal(answer.status, status);
    assert.match(answer.text, text);
  };
  refused("/quotes?symbols=AAPL,NOPE", 404, /no such symbol: "NOPE"; this feed has AAPL, MSFT/);
  refused("/quotes", 400, /say which symbols/);
  refused("/quotes?symbols=,", 400, /\?symbols=AAPL,MSFT/);
  refused("/", 404, /try GET \/quotes/);
  refused("//[", 404, /nothing here/);
  refused("/quotes?symbols=AAPL", 405, /GET only/, "POST");
});

test("demo feed request: a refusal does not echo a hostile list at length", () => {
  const answer = read(
    `/quotes?symbols=${"x".repeat(5000)},${Array.from({ length: 500 }, (_, n) => `s${n}`)}`,
  );
  assert.ok(!answer.ok && answer.text.length < 500);
});
