import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { EVENT_ID_LENGTH_MAX, EventStream, lastEventIdField, type StreamEvent } from "./event-stream.ts";

interface Read {
  readonly events: StreamEvent[];
  readonly retries: number[];
  readonly lastEventId: string;
  readonly tooLarge: number;
}

const event = (data: string, id: string | null = null, type = ""): StreamEvent => ({ id, type, data });

describe("event stream", () => {
  for (const [name, text, events] of [
    ["a line of data", "data: one\n\n", [event("one")]],
    ["several lines of data", "data: one\ndata:two\n\n", [event("one\ntwo")]],
    ["only one space after the colon goes", "data:  x\n\n", [event(" x")]],
    ["a field without a colon", "data\n\ndata\ndata\n\n", [event(""), event("\n")]],
    ["a colon without a value", "data:\n\n", [event("")]],
    ["an unfinished block", "data: one\n\ndata: two\n", [event("one")]],
    ["comments", ": x\ndata: one\n:\n\n", [event("one")]],
    [
      "unknown fields, and names that only begin like known ones",
      "date: 1\ndatas: 2\n data: 3\nDATA: 4\ndata: 5\nx\n\n",
      [event("5")],
    ],
    [
      "a type, which lasts for one event",
      "event: a\ndata: 1\n\ndata: 2\n\n",
      [event("1", null, "a"), event("2")],
    ],
    ["a type without data", "event: a\n\ndata: 1\n\n", [event("1")]],
    ["an empty type", "event: a\nevent\ndata: 1\n\n", [event("1")]],
    ["ids", "id: 1\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", [event("a", "1"), event("b"), event("c")]],
    ["an id with NUL", "id: 1\nid: 2\0\ndata: a\n\n", [event("a", "1")]],
    ["carriage returns", "data: a\rdata: b\r\rdata: c\r\r", [event("a\nb"), event("c")]],
    ["CRLF", "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", [event("a\nb"), event("c")]],
    ["line ends mixed", "data: a\r\n\ndata: b\n\rdata: c\r\r\n", [event("a"), event("b"), event("c")]],
    ["a byte order mark", "\ufeffdata: a\n\n", [event("a")]],
    ["a second byte order mark", "\ufeff\ufeffdata: a\n\n", []],
    ["a byte order mark later on", "data: a\n\n\ufeffdata: b\n\n", [event("a")]],
    ["characters of every length", "data: a\u00e9\u4e2d\u{1f600}\n\n", [event("a\u00e9\u4e2d\u{1f600}")]],
    ["NUL in data", "data: \0\n\n", [event("\0")]],
  ] as const) {
    test(`event stream: ${name}`, () => {
      const bytes = Buffer.from(text);
      assert.deepEqual(read([bytes]).events, events);
      assert.deepEqual(read(Array.from(bytes, (byte) => Buffer.of(byte))).events, events, "byte by byte");
    });
  }

  test("event stream: a carriage return at the end of a chunk ends its line there and then", () => {
    assert.deepEqual(read([Buffer.from("data: a\r\r")]).events, [event("a")]);
    assert.deepEqual(read([Buffer.from("data: a\r"), Buffer.from("\n\r"), Buffer.from("\n")]).events, [
      event("a"),
    ]);
  });

  test("event stream: bytes that are no UTF-8 become replacement characters", () => {
    assert.deepEqual(
      read([Buffer.from([0x64, 0x61, 0x74, 0x61, 0x3a, 0xff, 0xe4, 0xb8, 0x0a, 0x0a])]).events,
      [event("\ufffd\ufffd")],
    );
  });

  test("event stream: where it is cut changes nothing", () => {
    const line = fc.constantFrom(
      "data: a",
      "data",
      "id: 7",
      "id",
      "event: t",
      ": c",
      "",
      "",
      "retry: 5",
      "data: é中😀",
    );
    const end = fc.constantFrom("\n", "\r", "\r\n");
    const stream = fc
      .array(fc.tuple(line, end).map(([text, ending]) => text + ending))
      .map((lines) => lines.join(""));
    fc.assert(
      fc.property(stream, fc.array(fc.nat(200)), (text, cuts) => {
        const bytes = Buffer.from(text);
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of [...cuts].sort((a, b) => a - b)) {
          chunks.push(bytes.subarray(at, cut));
          at = Math.max(at, cut);
        }
        chunks.push(bytes.subarray(at));
        assert.deepEqual(read(chunks), read([bytes]));
      }),
    );
  });

  test("event stream: the last event id outlives its event, blocks without data move it, an empty one resets it", () => {
    assert.equal(read([Buffer.from("data: a\n\n")], "before").lastEventId, "before");
    assert.equal(read([Buffer.from("id: 1\ndata: a\n\ndata: b\n\n")]).lastEventId, "1");
    assert.equal(read([Buffer.from("id: 1\ndata: a\n\nid: 2\n\n")]).lastEventId, "2");
    assert.equal(read([Buffer.from("id: 1\ndata: a\n\nid: 2\ndata: b\n")]).lastEventId, "1");
    assert.equal(read([Buffer.from("id: 1\ndata: a\n\nid\n\n")]).lastEventId, "");
  });

  test("event stream: an id that can't be sent back is not kept", () => {
    for (const id of [
      "x".repeat(EVENT_ID_LENGTH_MAX + 1),
      "a\u0001b",
      "\u007f",
      "\ttab first",
      "space last ",
    ]) {
      const { events, lastEventId } = read([Buffer.from(`id: 1\ndata: a\n\nid: ${id}\ndata: b\n\n`)]);
      assert.equal(lastEventId, "", id);
      assert.deepEqual(events.at(-1), event("b"), "nor remembered by anybody else");
    }
    assert.equal(read([Buffer.from("id: a\tb é\ndata: b\n\n")]).lastEventId, "a\tb é");
    assert.deepEqual(Buffer.from(lastEventIdField("é中"), "latin1").toString(), "é中");
  });

  test("event stream: retry takes digits only", () => {
    const text =
      "retry: 250\nretry: 1x\nretry: -1\nretry: 1.5\nretry:\nretry: 0\nretry: 99999999999999999999\n";
    assert.deepEqual(read([Buffer.from(text)]).retries, [250, 0]);
  });

  test("event stream: a line and an event may be as long as allowed and no longer, however they are cut", () => {
    for (const size of [1, 7, 4096]) {
      for (const [text, fits] of [
        [`data: ${"x".repeat(100)}\n\n`, true],
        [`data: ${"x".repeat(101)}\n\n`, false],
        [`data: ${"é".repeat(51)}\n\n`, false],
        [`${`data: ${"x".repeat(49)}\n`.repeat(2)}\n`, true],
        [`${`data: ${"x".repeat(50)}\n`.repeat(2)}\n`, false],
        [`${"data\n".repeat(102)}\n`, false],
        [`:${"x".repeat(200)}`, false],
        [`${":x\n".repeat(1000)}\n`, true],
      ] as const) {
        const bytes = Buffer.from(text);
        const chunks = [];
        for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
        const { tooLarge } = read(chunks, "", 100);
        assert.equal(tooLarge, fits ? 0 : 1, `${text.slice(0, 20)} in chunks of ${size}`);
      }
    }
  });

  test("event stream: once ended it says nothing more, even of the same chunk", () => {
    const events: StreamEvent[] = [];
    const stream = new EventStream("", 1000, {
      event: (each) => {
        events.push(each);
        stream.end();
      },
      retry: () => assert.fail(),
      tooLarge: () => assert.fail(),
    });
    stream.push(Buffer.from("data: 1\n\nid: 9\ndata: 2\n\nretry: 1\n"));
    assert.deepEqual(events, [event("1")]);
    assert.equal(stream.lastEventId, "");
  });
});

function read(chunks: readonly Buffer[], lastEventId = "", eventBytesMax = 1 << 20): Read {
  const events: StreamEvent[] = [];
  const retries: number[] = [];
  let tooLarge = 0;
  const stream = new EventStream(lastEventId, eventBytesMax, {
    event: (each) => events.push(each),
    retry: (retryMs) => retries.push(retryMs),
    tooLarge: () => tooLarge++,
  });
  for (const chunk of chunks) stream.push(chunk);
  return { events, retries, lastEventId: stream.lastEventId, tooLarge };
}
