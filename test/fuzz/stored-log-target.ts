import assert from "node:assert/strict";
import { crc32 } from "node:zlib";
import { decodeClosing, encodeClosing } from "#storage/log-closing.ts";
import { decodeMark, encodeMark } from "#storage/log-mark.ts";
import { type LogRecord, RecordBatch, readRecords } from "#storage/log-record.ts";
import { decodeSegmentHead, encodeSegmentHead } from "#storage/log-segment.ts";
import type { FuzzTarget } from "./target.ts";

/** The log's files, which a disk or a crash may have cut or changed. */
export const STORED_LOG_TARGET: FuzzTarget = {
  name: "stored-log",
  captures: recorded(),
  check(input) {
    const whole = recordsOf(input);
    // What is cut off behind takes nothing from what stands before.
    const half = recordsOf(input.subarray(0, Math.floor(input.length / 2)));
    assert.deepEqual(half.records, whole.records.slice(0, half.records.length));
    // As if whoever wrote it had meant it: the checksum is no guard against a bug of the writer.
    recordsOf(sealed(input));
    decodeClosing(input);
    decodeMark(input);
    decodeSegmentHead(input);
  },
};

function recordsOf(bytes: Buffer): { records: LogRecord[]; end: number } {
  const records: LogRecord[] = [];
  const end = readRecords(bytes, 0, (record) => records.push(record));
  assert.ok(end >= 0 && end <= bytes.length);
  return { records, end };
}

/** The first record's payload, or all of the input, with the head that goes with it. */
function sealed(input: Buffer): Buffer {
  const payload = input.subarray(8);
  const head = Buffer.alloc(8);
  head.writeUInt32LE(payload.length, 0);
  head.writeUInt32LE(crc32(payload), 4);
  return Buffer.concat([head, payload]);
}

function recorded(): Buffer[] {
  const batch = new RecordBatch();
  const event = {
    topics: ["/a", "/b"],
    timeMs: 1,
    type: "t",
    id: null,
    retryMs: null,
    private: true,
  } as const;
  batch.addEvent({ ...event, topics: ["/a", "/b"], sequence: 1, data: "one" });
  batch.addEvent({
    ...event,
    topics: ["/a"],
    sequence: 2,
    data: "zwölf",
    id: "x",
    retryMs: 5,
    private: false,
  });
  batch.addPage({ is: "end" });
  const alone = new RecordBatch();
  alone.addEvent({ ...event, topics: ["/a"], sequence: 1, data: '{"price":1}' });
  const mark = { state: "level", epoch: "e", bootId: null, head: 5, lastEvent: 4 } as const;
  return [
    Buffer.from(batch.bytes),
    Buffer.from(alone.bytes),
    encodeMark(mark),
    encodeSegmentHead(7),
    ...closing(),
  ];
}

function closing(): Buffer[] {
  const memory = { epoch: "e", sequence: 3, topics: [] };
  const pages = encodeClosing({
    memory: memory as never,
    states: [],
    cursors: new Map([["feed", new Map([["AAPL", "7"]])]]),
  });
  return [Buffer.concat([...pages].map((page) => Buffer.from(page)))];
}
