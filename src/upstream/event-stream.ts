/** An event as the stream had it. */
export interface StreamEvent {
  /** The event's own `id`; null: it had none, an empty one, or one that is not kept (`EVENT_ID_LENGTH_MAX`). */
  readonly id: string | null;
  /** "" is the default type. */
  readonly type: string;
  readonly data: string;
}

export interface EventStreamHandlers {
  event(event: StreamEvent): void;
  /** The feed asks for this reconnection time, in milliseconds. */
  retry(retryMs: number): void;
  /** A line or an event is longer than allowed. Nothing more is read. */
  tooLarge(): void;
}

/**
 * Longest event id that is kept, in UTF-16 code units. It goes back in a request header, and servers bound those;
 * a longer id, or one that no header can hold, counts as an empty one: it can't be resumed from.
 */
export const EVENT_ID_LENGTH_MAX = 1024;

/**
 * Bytes of a `text/event-stream` in, events out (WHATWG HTML, 9.2.6), for one response. It keeps the last event id,
 * also of blocks that have no data and so are no events.
 *
 * It works on bytes, and makes each value a string of its own: a slice of the decoded chunk would keep the whole
 * chunk alive for as long as somebody remembers one event of it. Line ends are never part of a UTF-8 sequence, so
 * what is cut by a chunk's end needs no decoder's state.
 */
export class EventStream {
  /** The last event id so far; "" before the first and after an empty `id` field. */
  lastEventId: string;
  readonly #handlers: EventStreamHandlers;
  readonly #eventBytesMax: number;
  readonly #lineBytesMax: number;
  /** The beginning of a line whose end has not come: `#restLength` bytes of `#rest`. */
  #rest: Buffer = EMPTY;
  #restLength = 0;
  #isFirstLine = true;
  /** The last chunk ended with CR: a LF at the beginning of the next belongs to it. */
  #skipsLineFeed = false;
  #over = false;
  // The block that is being read.
  #id: string | null = null;
  #type = "";
  #data = "";
  #dataBytes = 0;
  #hasData = false;

  /**
   * @param lastEventId the id that the request was sent with
   * @param eventBytesMax most bytes of an event's data, and of any one line less its field's name
   */
  constructor(lastEventId: string, eventBytesMax: number, handlers: EventStreamHandlers) {
    this.lastEventId = lastEventId;
    this.#handlers = handlers;
    this.#eventBytesMax = eventBytesMax;
    this.#lineBytesMax = eventBytesMax + FIELD_NAME_BYTES_MAX;
  }

  /** The id, as far as it has come, of the block that is being read; "": none that could be resumed from. */
  get unfinishedId(): string {
    return keptId(this.#id ?? "");
  }

  push(chunk: Buffer): void {
    let start = 0;
    if (this.#skipsLineFeed && chunk.length > 0) {
      this.#skipsLineFeed = false;
      if (chunk[0] === LF) start = 1;
    }
    let cr = chunk.indexOf(CR, start);
    let lf = chunk.indexOf(LF, start);
    while (!this.#over) {
      const end = cr !== -1 && (lf === -1 || cr < lf) ? cr : lf;
      if (end === -1) break;
      this.#endLine(chunk, start, end);
      start = end + 1;
      if (end === cr) {
        if (start === chunk.length) this.#skipsLineFeed = true;
        else if (chunk[start] === LF) start++;
        cr = chunk.indexOf(CR, start);
      }
      if (lf !== -1 && lf < start) lf = chunk.indexOf(LF, start);
    }
    if (start < chunk.length && !this.#over) this.#hold(chunk, start, chunk.length);
  }

  /** Stops: what is still in the chunk being read is not handed out. */
  end(): void {
    this.#over = true;
    this.#rest = EMPTY;
    this.#restLength = 0;
  }

  #endLine(chunk: Buffer, start: number, end: number): void {
    if (this.#restLength === 0) {
      if (end - start > this.#lineBytesMax) this.#overflow();
      else this.#line(chunk, start, end);
      return;
    }
    if (!this.#hold(chunk, start, end)) return;
    const line = this.#rest;
    const length = this.#restLength;
    this.#restLength = 0;
    this.#line(line, 0, length);
    if (line.length > REST_BYTES_KEPT_MAX) this.#rest = EMPTY;
  }

  /** False: there is no room for it. */
  #hold(chunk: Buffer, start: number, end: number): boolean {
    const length = this.#restLength + end - start;
    if (length > this.#lineBytesMax) {
      this.#overflow();
      return false;
    }
    if (length > this.#rest.length) {
      // Doubled, so that a long line in many small chunks costs no more than one in few.
      const grown = Buffer.allocUnsafeSlow(Math.max(REST_BYTES_MIN, 2 * length));
      this.#rest.copy(grown, 0, 0, this.#restLength);
      this.#rest = grown;
    }
    chunk.copy(this.#rest, this.#restLength, start, end);
    this.#restLength = length;
    return true;
  }

  #line(bytes: Buffer, from: number, end: number): void {
    let start = from;
    if (this.#isFirstLine) {
      this.#isFirstLine = false;
      if (end - start >= 3 && bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf)
        start += 3;
    }
    if (start === end) {
      this.#dispatch();
      return;
    }
    switch (bytes[start]) {
      case 0x64: // d
        if (isField(bytes, start, end, "data")) this.#addData(bytes, valueStart(bytes, start + 4, end), end);
        return;
      case 0x69: // i
        if (isField(bytes, start, end, "id"))
          this.#setId(bytes.toString("utf8", valueStart(bytes, start + 2, end), end));
        return;
      case 0x65: // e
        if (isField(bytes, start, end, "event"))
          this.#type = bytes.toString("utf8", valueStart(bytes, start + 5, end), end);
        return;
      case 0x72: // r
        if (isField(bytes, start, end, "retry"))
          this.#retry(bytes.toString("latin1", valueStart(bytes, start + 5, end), end));
        return;
    }
  }

  #addData(bytes: Buffer, start: number, end: number): void {
    this.#dataBytes += end - start + 1;
    if (this.#dataBytes - 1 > this.#eventBytesMax) {
      this.#overflow();
      return;
    }
    const value = bytes.toString("utf8", start, end);
    this.#data = this.#hasData ? `${this.#data}\n${value}` : value;
    this.#hasData = true;
  }

  #setId(id: string): void {
    if (!id.includes("\0")) this.#id = id;
  }

  #retry(value: string): void {
    if (/^[0-9]{1,15}$/.test(value)) this.#handlers.retry(Number(value));
  }

  #dispatch(): void {
    const id = this.#id === null ? null : keptId(this.#id);
    const event = this.#hasData ? { id: id || null, type: this.#type, data: this.#data } : null;
    this.#id = null;
    this.#type = "";
    this.#data = "";
    this.#dataBytes = 0;
    this.#hasData = false;
    if (id !== null) this.lastEventId = id;
    if (event !== null) this.#handlers.event(event);
  }

  #overflow(): void {
    this.end();
    this.#handlers.tooLarge();
  }
}

/** The `Last-Event-ID` field: UTF-8, written byte for byte. */
export function lastEventIdField(id: string): string {
  return Buffer.from(id, "utf8").toString("latin1");
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const EMPTY = Buffer.alloc(0);
/** "event: " and "retry: ". */
const FIELD_NAME_BYTES_MAX = 7;
const REST_BYTES_MIN = 1024;
/** A larger buffer is given back when its line is complete. */
const REST_BYTES_KEPT_MAX = 65_536;

/** Field values may hold no control characters but the tab, and lose white space at their ends (RFC 9110, 5.5). */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const SENDABLE = /^(?![\t ])[^\x00-\x08\x0a-\x1f\x7f]*(?<![\t ])$/;

function keptId(id: string): string {
  return id.length <= EVENT_ID_LENGTH_MAX && SENDABLE.test(id) ? id : "";
}

/** Whether the line's field has this name; the first letter is known. */
function isField(bytes: Buffer, start: number, end: number, name: string): boolean {
  const nameEnd = start + name.length;
  if (nameEnd > end || (nameEnd < end && bytes[nameEnd] !== COLON)) return false;
  for (let i = 1; i < name.length; i++) {
    if (bytes[start + i] !== name.charCodeAt(i)) return false;
  }
  return true;
}

/** After the name, the colon and one space, as far as they are there. */
function valueStart(bytes: Buffer, nameEnd: number, end: number): number {
  if (nameEnd === end) return end;
  return nameEnd + 1 < end && bytes[nameEnd + 1] === SPACE ? nameEnd + 2 : nameEnd + 1;
}
