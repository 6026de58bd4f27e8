import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  CENTRIFUGE_ERROR_NAMES,
  CENTRIFUGE_ERRORS,
  CentrifugeError,
  UNSUBSCRIBE_CODES,
  UnsubscribeCode,
} from "./centrifuge-codes.ts";
import {
  encodeErrorReply,
  encodePublicationPush,
  encodeReply,
  encodeReplyWithPublications,
  encodeUnsubscribePush,
  PING_FRAME,
  publicationsIn,
} from "./centrifuge-encode.ts";
import { payloadOf } from "./websocket-frame.ts";

const textOf = (frame: Buffer) => payloadOf(frame).toString();
const push = (data: string, type = "") =>
  textOf(encodePublicationPush("/quotes/AAPL", { offset: 7, data, type, timeMs: 1767225600000 }));

test("publication push: JSON data goes in as it is", () => {
  assert.equal(
    push('{"price":1.10,"id":9007199254740993}'),
    '{"push":{"channel":"/quotes/AAPL","pub":{"data":{"price":1.10,"id":9007199254740993},"offset":7,"time":1767225600000}}}',
  );
});

test("publication push: a type travels as a tag", () => {
  assert.deepEqual(JSON.parse(push("1", 'tra"de')).push.pub.tags, { type: 'tra"de' });
});

test("publication push: data that is not JSON travels as a JSON string", () => {
  for (const data of ["hello", "", "{broken", "nil", "1 2", "NaN", "\u0000", '{"a":1}\n{"b":2}']) {
    assert.equal(JSON.parse(push(data)).push.pub.data, data);
  }
});

test("publication push: JSON over several lines becomes one line of the same value", () => {
  const text = push('{\r\n  "a": [1,\n 2]\n}\n');
  assert.ok(!/[\r\n]/.test(text));
  assert.deepEqual(JSON.parse(text).push.pub.data, { a: [1, 2] });
});

test("publication push: a channel with quotes and other scripts stays one JSON string", () => {
  const channel = '/a"b\\c/прайс/€';
  const frame = encodePublicationPush(channel, { offset: 1, data: "1", type: "", timeMs: 0 });
  assert.equal(JSON.parse(textOf(frame)).push.channel, channel);
  assert.deepEqual(JSON.parse(String(publicationsIn([frame], channel))), { data: 1, offset: 1, time: 0 });
});

test("publication push: any text arrives as itself, on one line", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.json(), fc.string({ unit: "grapheme" })),
      fc.string({ unit: "grapheme" }),
      (data, channel) => {
        const frame = encodePublicationPush(channel, { offset: 3, data, type: "", timeMs: 1 });
        const text = textOf(frame);
        assert.ok(!/[\r\n]/.test(text));
        const { push } = JSON.parse(text);
        assert.equal(push.channel, channel);
        assert.deepEqual(push.pub.data, meant(data));
        assert.deepEqual(JSON.parse(String(publicationsIn([frame], channel))), push.pub);
      },
    ),
  );
});

test("publication push: data of any code units, lone surrogates too, never throws and always parses", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (data) => void JSON.parse(push(data))));
});

test("ping: an empty reply", () => {
  assert.equal(textOf(PING_FRAME), "{}");
});

test("error reply: code, words, and temporary only where it is true", () => {
  assert.equal(
    textOf(encodeErrorReply(4, CentrifugeError.permission_denied)),
    '{"id":4,"error":{"code":103,"message":"permission denied"}}',
  );
  assert.equal(
    JSON.parse(textOf(encodeErrorReply(5, CentrifugeError.too_many_requests))).error.temporary,
    true,
  );
});

test("reply: the result stands under its method, without what is undefined", () => {
  assert.equal(
    textOf(encodeReply(9, "subscribe", { epoch: "e", recovered: undefined })),
    '{"id":9,"subscribe":{"epoch":"e"}}',
  );
});

test("reply with publications: they stand last in the result, as they were pushed", () => {
  const frames = [1, 2].map((offset) =>
    encodePublicationPush("/a", { offset, data: String(offset), type: "", timeMs: 5 }),
  );
  const publications = publicationsIn(frames, "/a");
  const full = encodeReplyWithPublications(1, "subscribe", { epoch: "e" }, publications);
  assert.deepEqual(JSON.parse(textOf(full)), {
    id: 1,
    subscribe: {
      epoch: "e",
      publications: [
        { data: 1, offset: 1, time: 5 },
        { data: 2, offset: 2, time: 5 },
      ],
    },
  });
  assert.equal(
    JSON.parse(textOf(encodeReplyWithPublications(1, "history", {}, publications))).history.publications
      .length,
    2,
  );
  assert.equal(textOf(encodeReplyWithPublications(1, "history", {}, [])), '{"id":1,"history":{}}');
});

test("unsubscribe push: channel, code and words", () => {
  assert.equal(
    textOf(encodeUnsubscribePush("/a", UnsubscribeCode.insufficient_state)),
    '{"push":{"channel":"/a","unsubscribe":{"code":2500,"reason":"insufficient state"}}}',
  );
});

test("codes: every name has words and a meaning", () => {
  for (const [name, code] of Object.entries(CentrifugeError))
    assert.equal(CENTRIFUGE_ERROR_NAMES[code], name);
  for (const code of Object.values(CentrifugeError))
    assert.ok(CENTRIFUGE_ERRORS[code].message && CENTRIFUGE_ERRORS[code].meaning);
  for (const code of Object.values(UnsubscribeCode))
    assert.ok(UNSUBSCRIBE_CODES[code].reason && UNSUBSCRIBE_CODES[code].meaning);
});

function meant(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    return data;
  }
}
