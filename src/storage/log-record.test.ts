import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { decodeMark, encodeMark } from "./log-mark.ts";
import { type LogRecord, type RecordableEvent, RecordBatch, readRecords } from "./log-record.ts";
import { decodeSegmentHead, encodeSegmentHead } from "./log-segment.ts";

const text = fc.string({ unit: "grapheme", maxLength: 40 });
const event: fc.Arbitrary<RecordableEvent> = fc.record({
  sequence: fc.maxSafeNat(),
  timeMs: fc.nat(),
  topics: fc.tuple(text, text) as fc.Arbitrary<[string, ...string[]]>,
  data: fc.oneof(text, fc.json()),
  type: text,
  id: fc.option(text),
  retryMs: fc.option(fc.nat()),
  private: fc.boolean(),
});

function recordsIn(bytes: Buffer): { records: LogRecord[]; end: number } {
  const records: LogRecord[] = [];
  const end = readRecords(bytes, 0, (record) => void records.push(record));
  return { records, end };
}

function encoded(events: readonly RecordableEvent[]): { bytes: Buffer; ends: number[] } {
  const batch = new RecordBatch();
  const ends = events.map((each) => {
    batch.addEvent(each);
    return batch.length;
  });
  return { bytes: Buffer.from(batch.bytes), ends };
}

function asRead({ sequence, timeMs, ...publication }: RecordableEvent): LogRecord {
  return { kind: "event", event: { sequence, timeMs, publication } };
}

test("log record: events come back as they were, whatever their texts", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 5 }), (events) => {
      const { bytes } = encoded(events);
      const { records, end } = recordsIn(bytes);
      assert.deepEqual(records, events.map(asRead));
      assert.equal(end, bytes.length);
    }),
  );
});

test("log record: torn at any byte, every record before is read and nothing after", () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 1, maxLength: 3 }), (events) => {
      const { bytes, ends } = encoded(events);
      for (let length = 0; length <= bytes.length; length++) {
        const { records, end } = recordsIn(bytes.subarray(0, length));
        const whole = ends.filter((each) => each <= length);
        assert.deepEqual(records, events.slice(0, whole.length).map(asRead));
        assert.equal(end, whole.at(-1) ?? 0);
      }
    }),
    { numRuns: 20 },
  );
});

test("log record: with any bit flipped, the records before it are read, and its own and none after", () => {
  fc.assert(
    fc.property(fc.array(event, { minLength: 2, maxLength: 4 }), fc.nat(), (events, chance) => {
      const { bytes, ends } = encoded(events);
      const bit = chance % (bytes.length * 8);
      const at = bit >> 3;
      bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
      const { records } = recordsIn(bytes);
      assert.deepEqual(records, events.slice(0, ends.filter((end) => end <= at).length).map(asRead));
    }),
    { numRuns: 500 },
  );
});

test("log record: an event far larger than a batch is held whole, and its memory is not kept", () => {
  const batch = new RecordBatch();
  const [huge] = fc.sample(event, 1) as [RecordableEvent];
  batch.addEvent({ ...huge, data: "ü".repeat(2_000_000) });
  batch.addPage({ a: ["ü"] });
  const { records } = recordsIn(Buffer.from(batch.bytes));
  assert.equal(records[0]?.kind === "event" && records[0].event.publication.data.length, 2_000_000);
  assert.deepEqual(records[1], { kind: "page", page: { a: ["ü"] } });
  batch.clear();
  assert.equal(batch.bytes.buffer.byteLength < 1_000_000, true);
});

test("log mark: it comes back as it was, always of one length; one with any byte changed is none", () => {
  const mark = { state: "level", epoch: "aB-_09xy", bootId: null, head: 2 ** 53 - 1, lastEvent: 7 } as const;
  const bytes = encodeMark(mark);
  assert.deepEqual(decodeMark(bytes), mark);
  assert.equal(encodeMark({ ...mark, head: 1, bootId: "b".repeat(36) }).length, bytes.length);
  for (let at = 0; at < JSON.stringify(mark).length + 9; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] as number) ^ 1;
    assert.equal(decodeMark(changed), null);
  }
  assert.equal(decodeMark(bytes.subarray(0, 40)), null);
});

test("segment head: it comes back as it was; one with any bit changed, or too short, is none", () => {
  const head = encodeSegmentHead(123_456_789_012);
  assert.equal(decodeSegmentHead(head), 123_456_789_012);
  for (let at = 0; at < head.length; at++) {
    const changed = Buffer.from(head);
    changed[at] = (changed[at] as number) ^ 4;
    assert.equal(decodeSegmentHead(changed), null);
    assert.equal(decodeSegmentHead(head.subarray(0, at)), null);
  }
});
