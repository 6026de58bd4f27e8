import { crc32 } from "node:zlib";
import type { RememberedEvent } from "#hub/hub.ts";

/**
 * Records of the log on disk: bytes in, values out; pure.
 *
 *     u32 length of the payload | u32 CRC-32 of it | payload: u8 kind, then
 *     event: u8 flags | f64 sequence | f64 time | f64 retry | u16 topics | texts: topics, type, data, id
 *     page:  JSON
 *
 * Numbers are little-endian. A text is its length in bytes (u32) and UTF-8.
 */
export type LogRecord =
  | { readonly kind: "event"; readonly event: RememberedEvent }
  | { readonly kind: "page"; readonly page: unknown };

/** What is written of an event. `HubEvent` fits. */
export interface RecordableEvent {
  readonly sequence: number;
  readonly timeMs: number;
  readonly topics: readonly [string, ...string[]];
  readonly data: string;
  readonly type: string;
  readonly id: string | null;
  readonly retryMs: number | null;
  readonly private: boolean;
}

/** Records one after another, in memory that is used again and again. */
export class RecordBatch {
  #bytes = Buffer.allocUnsafe(BATCH_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Good until the next `clear`. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    // One huge event should not cost its size for ever.
    if (this.#bytes.length > 4 * BATCH_BYTES) this.#bytes = Buffer.allocUnsafe(BATCH_BYTES);
  }

  addEvent(event: RecordableEvent): void {
    const { topics, type, data, id } = event;
    let most = HEAD_BYTES + EVENT_BYTES + textBytesMax(type) + textBytesMax(data) + textBytesMax(id ?? "");
    for (const topic of topics) most += textBytesMax(topic);
    this.#reserve(most);
    const start = this.#length;
    const bytes = this.#bytes;
    let at = start + HEAD_BYTES;
    bytes[at] = KIND_EVENT;
    bytes[at + 1] =
      (event.private ? FLAG_PRIVATE : 0) |
      (id === null ? 0 : FLAG_ID) |
      (event.retryMs === null ? 0 : FLAG_RETRY);
    bytes.writeDoubleLE(event.sequence, at + 2);
    bytes.writeDoubleLE(event.timeMs, at + 10);
    bytes.writeDoubleLE(event.retryMs ?? 0, at + 18);
    bytes.writeUInt16LE(topics.length, at + 26);
    at += EVENT_BYTES;
    for (const topic of topics) at = this.#text(at, topic);
    at = this.#text(at, type);
    at = this.#text(at, data);
    if (id !== null) at = this.#text(at, id);
    this.#seal(start, at);
  }

  /** @param page anything that JSON can hold */
  addPage(page: unknown): void {
    const json = JSON.stringify(page);
    this.#reserve(HEAD_BYTES + 1 + 3 * json.length);
    const start = this.#length;
    this.#bytes[start + HEAD_BYTES] = KIND_PAGE;
    const at = start + HEAD_BYTES + 1;
    this.#seal(start, at + this.#bytes.write(json, at));
  }

  #text(at: number, text: string): number {
    const length = this.#bytes.write(text, at + 4);
    this.#bytes.writeUInt32LE(length, at);
    return at + 4 + length;
  }

  #seal(start: number, end: number): void {
    const payload = this.#bytes.subarray(start + HEAD_BYTES, end);
    this.#bytes.writeUInt32LE(payload.length, start);
    this.#bytes.writeUInt32LE(crc32(payload), start + 4);
    this.#length = end;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}

/** Reads records until the end, or until the first that is not whole. Answers where the last whole one ends. */
export function readRecords(bytes: Buffer, from: number, take: (record: LogRecord) => void): number {
  let at = from;
  while (at + HEAD_BYTES < bytes.length) {
    const end = at + HEAD_BYTES + bytes.readUInt32LE(at);
    if (end > bytes.length) break;
    const payload = bytes.subarray(at + HEAD_BYTES, end);
    if (payload.length === 0 || crc32(payload) !== bytes.readUInt32LE(at + 4)) break;
    const record = decoded(payload);
    if (record === null) break;
    take(record);
    at = end;
  }
  return at;
}

/** A batch is written when it has about so many bytes. */
export const BATCH_BYTES = 256 * 1024;

const HEAD_BYTES = 8;
const EVENT_BYTES = 28;
const KIND_EVENT = 1;
const KIND_PAGE = 2;
const FLAG_PRIVATE = 1;
const FLAG_ID = 2;
const FLAG_RETRY = 4;

function textBytesMax(text: string): number {
  return 4 + 3 * text.length;
}

/** Null: not one of ours, though its checksum is right: perhaps a later version's. */
function decoded(payload: Buffer): LogRecord | null {
  try {
    return decode(payload);
  } catch {
    return null;
  }
}

function decode(payload: Buffer): LogRecord | null {
  if (payload[0] === KIND_PAGE) return { kind: "page", page: JSON.parse(payload.toString("utf8", 1)) };
  if (payload[0] !== KIND_EVENT || payload.length < EVENT_BYTES) return null;
  const flags = payload[1] as number;
  const texts: string[] = [];
  for (let at = EVENT_BYTES; at < payload.length; ) {
    const length = payload.readUInt32LE(at);
    texts.push(payload.toString("utf8", at + 4, at + 4 + length));
    at += 4 + length;
  }
  const topics = texts.splice(0, payload.readUInt16LE(26));
  const [type, data, id] = texts;
  if (topics[0] === undefined || type === undefined || data === undefined) return null;
  const publication = {
    topics: topics as [string, ...string[]],
    data,
    type,
    id: flags & FLAG_ID ? (id ?? null) : null,
    retryMs: flags & FLAG_RETRY ? payload.readDoubleLE(18) : null,
    private: (flags & FLAG_PRIVATE) !== 0,
  };
  const event = { sequence: payload.readDoubleLE(2), timeMs: payload.readDoubleLE(10), publication };
  return { kind: "event", event };
}
