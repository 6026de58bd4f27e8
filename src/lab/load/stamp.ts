/**
 * What `load` publishes: JSON whose first field is a stamp at a fixed offset, so that a subscriber reads publisher, number
 * and time from the bytes where they lie, in whatever protocol they came, without parsing JSON:
 * `{"sk":"<stream, 8 digits><number, 10 digits><time, 16 digits>","pad":"…"}`.
 */
export interface Stamp {
  /** Publisher and topic: the number of the publisher, times the count of topics, plus the topic's number. */
  readonly stream: number;
  /** Counts from 1 within the stream. */
  readonly sequence: number;
  /** When the event was meant to be sent, in microseconds of the machine's monotonic clock. */
  readonly timeUs: number;
}

/** Smallest payload, in bytes: the stamp alone. */
export const PAYLOAD_BYTES_MIN = 43;

/** An event's data, `bytes` long. @param bytes at least `PAYLOAD_BYTES_MIN` */
export function stampedPayload({ stream, sequence, timeUs }: Stamp, bytes: number): string {
  const stamp = digits(stream, STREAM) + digits(sequence, SEQUENCE) + digits(timeUs, TIME);
  const head = `{"sk":"${stamp}"`;
  const left = bytes - head.length - PAD.length - 2;
  return left < 0 ? `${head}}` : `${head}${PAD}${"x".repeat(left)}"}`;
}

/** Bytes of a mark and the stamp behind it. */
export const STAMP_BYTES = 40;

/** Where the next stamp's mark begins within `from` to `to`, whole with its stamp; -1: nowhere. */
export function findStamp(bytes: Buffer, from: number, to: number): number {
  const last = to - STAMP_BYTES;
  // Close by, a loop is quicker than a call of the native search; far off, it is not.
  const near = Math.min(last, from + NEAR);
  for (let at = from; at <= near; at++) if (bytes[at] === QUOTE && isMark(bytes, at)) return at;
  if (near === last) return -1;
  const found = bytes.subarray(near, to).indexOf(MARK);
  return found < 0 || near + found > last ? -1 : near + found;
}

export function streamAt(bytes: Buffer, mark: number): number {
  return numberAt(bytes, mark + MARK.length, STREAM);
}

export function sequenceAt(bytes: Buffer, mark: number): number {
  return numberAt(bytes, mark + MARK.length + STREAM, SEQUENCE);
}

export function timeUsAt(bytes: Buffer, mark: number): number {
  return numberAt(bytes, mark + MARK.length + STREAM + SEQUENCE, TIME);
}

const [STREAM, SEQUENCE, TIME] = [8, 10, 16];
const MARK = Buffer.from('"sk":"');
const PAD = ',"pad":"';
const QUOTE = 0x22;
const NEAR = 256;

function isMark(bytes: Buffer, at: number): boolean {
  return (
    bytes[at + 1] === 0x73 && bytes[at + 2] === 0x6b && bytes[at + 3] === QUOTE && bytes[at + 5] === QUOTE
  );
}

function digits(value: number, count: number): string {
  return String(Math.round(value)).padStart(count, "0");
}

function numberAt(bytes: Buffer, at: number, count: number): number {
  let value = 0;
  for (let index = at; index < at + count; index++) value = value * 10 + ((bytes[index] as number) - 0x30);
  return value;
}
