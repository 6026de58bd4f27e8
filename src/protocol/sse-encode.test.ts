import assert from "node:assert/strict";
import { test } from "node:test";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import fc from "fast-check";
import {
  encodeSseComment,
  encodeSseCursor,
  encodeSseEvent,
  encodeSseOpening,
  encodeSseRetry,
} from "./sse-encode.ts";

const plain = { id: "#e.1", type: "", data: "x", retryMs: null };

function parse(bytes: Buffer): { events: EventSourceMessage[]; comments: string[]; retries: number[] } {
  const seen = { events: [] as EventSourceMessage[], comments: [] as string[], retries: [] as number[] };
  const parser = createParser({
    onEvent: (event) => seen.events.push(event),
    onComment: (comment) => seen.comments.push(comment),
    onRetry: (ms) => seen.retries.push(ms),
    onError: (error) => assert.fail(error.message),
  });
  parser.feed(bytes.toString());
  return seen;
}

test("event: is one block of the fields that are set", () => {
  assert.equal(encodeSseEvent(plain).toString(), "id: #e.1\ndata: x\n\n");
  assert.equal(
    encodeSseEvent({ id: "7", type: "tick", data: "{}", retryMs: 1500 }).toString(),
    "id: 7\nevent: tick\nretry: 1500\ndata: {}\n\n",
  );
});

test("event: CR, LF and CRLF each begin a new data line", () => {
  assert.equal(
    encodeSseEvent({ ...plain, data: "a\nb\rc\r\nd" }).toString(),
    "id: #e.1\ndata: a\ndata: b\ndata: c\ndata: d\n\n",
  );
});

test("event: empty data is still an event's data", () => {
  assert.equal(encodeSseEvent({ ...plain, data: "" }).toString(), "id: #e.1\ndata: \n\n");
});

test("event: any data arrives as it was sent, line ends as LF", () => {
  const text = fc.string({
    unit: fc.constantFrom("\r", "\n", " ", ":", "d", "é", "\u{1f600}", "\0"),
    minLength: 1,
  });
  fc.assert(
    fc.property(text, (data) => {
      const { events } = parse(encodeSseEvent({ ...plain, data }));
      assert.deepEqual(
        events.map((event) => event.data),
        [data.replace(/\r\n|\r/g, "\n")],
      );
    }),
  );
});

test("attack: an id or type with line ends can't forge a field", () => {
  const bytes = encodeSseEvent({
    id: "1\ndata: forged",
    type: "a\r\n\r\ndata: forged",
    data: "true",
    retryMs: null,
  });
  const { events } = parse(bytes);
  assert.equal(events.length, 1);
  assert.equal(events[0]?.data, "true");
});

test("attack: a comment with line ends can't forge an event", () => {
  assert.deepEqual(parse(encodeSseComment("x\n\ndata: forged\n\n")).events, []);
  assert.deepEqual(parse(encodeSseCursor("x\ndata: y", "1\n\ndata: z")).events, []);
});

test("cursor: is a block with an id and no data, which dispatches nothing", () => {
  const bytes = encodeSseCursor("ok", "#e.7");
  assert.equal(bytes.toString(), ": ok\nid: #e.7\n\n");
  const seen = parse(bytes);
  assert.deepEqual(seen.events, []);
  assert.deepEqual(seen.comments, ["ok"]);
});

test("retry: is whole milliseconds and never negative", () => {
  assert.equal(encodeSseRetry(1234.5).toString(), "retry: 1235\n\n");
  assert.deepEqual(parse(encodeSseRetry(-5)).retries, [0]);
});

test("opening: tells the reconnection time and the cursor, and dispatches nothing", () => {
  assert.equal(encodeSseOpening(1500, "#e.7").toString(), ": ok\nretry: 1500\nid: #e.7\n\n");
  const seen = parse(encodeSseOpening(1500, null));
  assert.deepEqual(seen, { events: [], comments: ["ok"], retries: [1500] });
});
