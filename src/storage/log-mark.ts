import { crc32 } from "node:zlib";

/**
 * How far the log on disk can be trusted, in a small file that is written over and over. Written at once, before anybody
 * gets the event that makes it untrue: so a process that is killed never leaves a mark that says more than is there.
 */
export interface LogMark {
  /**
   * `level`: the files hold every event through `head`. `behind`: events were given out that may not be in the files.
   * `closed`: as `level`, by an orderly end, and everything has reached the disk.
   */
  readonly state: "level" | "behind" | "closed";
  readonly epoch: string;
  /** Which start of the machine it was; null: not known. A machine that went down may have lost what was written. */
  readonly bootId: string | null;
  /** The last sequence number given away. */
  readonly head: number;
  /** The last event's; not above `head`, as numbers are given away without events too. */
  readonly lastEvent: number;
}

/** As text of a fixed length, within one sector, with a checksum. */
export function encodeMark(mark: LogMark): Buffer {
  const json = JSON.stringify(mark);
  return Buffer.from(`${checksum(json)} ${json}`.padEnd(MARK_BYTES - 1).concat("\n"), "latin1");
}

/** Null for anything that is not a whole mark. */
export function decodeMark(bytes: Buffer): LogMark | null {
  const text = bytes.toString("latin1").trimEnd();
  const json = text.slice(9);
  return text.slice(0, 9) === `${checksum(json)} ` ? (JSON.parse(json) as LogMark) : null;
}

const MARK_BYTES = 256;

function checksum(text: string): string {
  return crc32(text).toString(16).padStart(8, "0");
}
