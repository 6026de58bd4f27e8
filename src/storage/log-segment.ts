import { crc32 } from "node:zlib";
import { SEGMENT_SUFFIX } from "./log-disk.ts";

/** A file of the log on disk: a head, then records of events in order. */
export interface Segment {
  readonly name: string;
  /** What its head says. */
  readonly after: number;
  /** Sequence of its last event; `after` without any. */
  lastEvent: number;
  bytes: number;
}

/** Names sort as their sequences do. */
export function segmentName(after: number): string {
  return `${String(after).padStart(16, "0")}${SEGMENT_SUFFIX}`;
}

/** @param after no event up to this sequence follows, nor do later files hold one: it stands before, or was let go */
export function encodeSegmentHead(after: number): Buffer {
  const head = Buffer.alloc(SEGMENT_HEAD_BYTES);
  head.write(MAGIC, 0, "latin1");
  head.writeDoubleLE(after, 8);
  head.writeUInt32LE(crc32(head.subarray(0, 16)), 16);
  return head;
}

/** Null: no segment's head. */
export function decodeSegmentHead(bytes: Buffer): number | null {
  if (bytes.length < SEGMENT_HEAD_BYTES || bytes.toString("latin1", 0, 8) !== MAGIC) return null;
  return crc32(bytes.subarray(0, 16)) === bytes.readUInt32LE(16) ? bytes.readDoubleLE(8) : null;
}

export const SEGMENT_HEAD_BYTES = 20;

/** The last byte is the format's version. */
const MAGIC = "SKEVENT1";
