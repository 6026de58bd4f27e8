/**
 * Server-Sent Events out, as the HTML standard's parser reads them back (html.spec.whatwg.org, "Parsing an event
 * stream"). Every encoder answers a whole block of the stream, so that what is sent can be cut between any two.
 */
export interface SseFields {
  readonly id: string;
  /** "" is the default type, `message`, and is not sent. */
  readonly type: string;
  /** Any text; CR, LF and CRLF each begin a new `data:` line, and arrive as LF. */
  readonly data: string;
  /** Reconnection time in milliseconds; null: not sent. */
  readonly retryMs: number | null;
}

export function encodeSseEvent(event: SseFields): Buffer {
  let head = `id: ${oneLine(event.id)}\n`;
  if (event.type !== "") head += `event: ${oneLine(event.type)}\n`;
  if (event.retryMs !== null) head += `retry: ${wholeMs(event.retryMs)}\n`;
  const data = LINE_END_SOME.test(event.data) ? event.data.replace(LINE_END, "\ndata: ") : event.data;
  return Buffer.from(`${head}data: ${data}\n\n`);
}

/**
 * Sets the client's last event id without an event: a block with no data dispatches nothing, yet its id is kept
 * and is sent as `Last-Event-ID` when the client comes back. The comment is for proxies and for people.
 */
export function encodeSseCursor(comment: string, id: string): Buffer {
  return Buffer.from(`: ${oneLine(comment)}\nid: ${oneLine(id)}\n\n`);
}

/** A stream's first block: a comment for proxies that wait for bytes, the reconnection time, and a cursor unless null. */
export function encodeSseOpening(retryMs: number, id: string | null): Buffer {
  return Buffer.from(`: ok\nretry: ${wholeMs(retryMs)}\n${id === null ? "" : `id: ${oneLine(id)}\n`}\n`);
}

/** A comment: it keeps the connection alive, and no script sees it. */
export function encodeSseComment(comment: string): Buffer {
  return Buffer.from(`: ${oneLine(comment)}\n\n`);
}

/** Only the reconnection time, in milliseconds. */
export function encodeSseRetry(retryMs: number): Buffer {
  return Buffer.from(`retry: ${wholeMs(retryMs)}\n\n`);
}

const LINE_END = /\r\n|\r|\n/g;
const LINE_END_SOME = /[\r\n]/;

/** Ids and types are checked where they enter; here nothing that slipped through may forge a field. */
function oneLine(value: string): string {
  return FORGING.test(value) ? value.replaceAll(FORGING_ALL, "") : value;
}

const FORGING = /[\r\n\0]/;
const FORGING_ALL = /[\r\n\0]/g;

function wholeMs(ms: number): number {
  return Math.max(0, Math.round(ms));
}
