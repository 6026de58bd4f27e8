/**
 * Room `protocol`: bytes in, values out. Everything here is pure: no socket, no timer, no clock. It may use `base`.
 *
 * A cursor is a place in the hub's log. It is the SSE event id (`#<epoch>.<sequence>`) and, in parts, the
 * WebSocket's `epoch` and `offset`, so that a client resumes on either transport.
 */
export interface Cursor {
  /** Names one life of the log: 1 to 32 characters of [0-9A-Za-z_-]. */
  readonly epoch: string;
  /** Hub-wide sequence number of the last event that was seen; 0 stands before the first. */
  readonly sequence: number;
}

const CURSOR = /^#([0-9A-Za-z_-]{1,32})\.(0|[1-9][0-9]{0,15})$/;

/** The cursor as an SSE event id. A publisher's own id can't begin with `#` (Mercure, "Publication"), so none is mistaken for it. */
export function formatCursor(cursor: Cursor): string {
  return `#${cursor.epoch}.${cursor.sequence}`;
}

/** Null for anything that is not a cursor, a sequence above 2^53 - 1 included. */
export function parseCursor(text: string): Cursor | null {
  const match = CURSOR.exec(text);
  if (match === null) return null;
  const sequence = Number(match[2]);
  return Number.isSafeInteger(sequence) ? { epoch: match[1] as string, sequence } : null;
}
