/** What a soak client hears, by either protocol. */
export interface Hearing {
  /** The gateway lets it in, and the stream or subscription stands. */
  letIn(): void;
  /** It does not. @param why status and, where there is one, code */
  notLetIn(why: string): void;
  /** Events may be missing before the next one. */
  told(): void;
  /** @param number the event's, among those of its topic */
  event(number: number): void;
}

/** Longest head or block that is waited for, in characters. */
const REST_MAX = 4 << 20;

/** Reads a Mercure stream, as much of it as a soak needs. Pure: text in (a character a byte), what is heard out. */
export class SseWire {
  /** The last id that was seen; "" for none. */
  lastEventId: string;
  readonly #hearing: Hearing;
  readonly #asked: string;
  #rest = "";
  #isInHead = true;
  #isOpen = false;
  /** The head says that the resume is not exact. */
  #isTold = false;

  /** @param lastEventId what was asked to be resumed from; "" for nothing */
  constructor(hearing: Hearing, lastEventId: string) {
    this.#hearing = hearing;
    this.#asked = lastEventId;
    this.lastEventId = lastEventId;
  }

  push(text: string): void {
    this.#rest = this.#rest === "" ? text : this.#rest + text;
    if (this.#isInHead && !this.#readHead()) return;
    let start = 0;
    for (;;) {
      const end = this.#rest.indexOf("\n\n", start);
      if (end < 0) break;
      if (!this.#isOpen && !this.#readOpening(this.#rest.slice(start, end))) return;
      this.#block(start, end);
      start = end + 2;
    }
    this.#rest = start === this.#rest.length ? "" : this.#rest.slice(start);
    if (this.#rest.length > REST_MAX) throw new RangeError("a block without an end");
  }

  #readHead(): boolean {
    const end = this.#rest.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const head = this.#rest.slice(0, end);
    this.#rest = this.#rest.slice(end + 4);
    this.#isInHead = false;
    const type = field(head, "content-type");
    if (!head.startsWith("HTTP/1.1 200 ") || !type.startsWith("text/event-stream")) {
      this.#hearing.notLetIn(head.slice(9, 12));
      return false;
    }
    if (this.#asked !== "" && field(head, "mercure-last-event-id") !== this.#asked) this.#isTold = true;
    return true;
  }

  /** A drain and a full house are said in the body: a comment with a code. A stream begins with `: ok`. */
  #readOpening(block: string): boolean {
    this.#isOpen = true;
    const refusal = /^: (?!ok\b)([a-z_]+)/.exec(block)?.[1];
    if (refusal !== undefined) {
      this.#hearing.notLetIn(refusal);
      return false;
    }
    if (this.#isTold) this.#hearing.told();
    this.#hearing.letIn();
    return true;
  }

  #block(start: number, end: number): void {
    const rest = this.#rest;
    let number = 0;
    let isGap = false;
    for (let at = start; at < end; ) {
      const found = rest.indexOf("\n", at);
      const lineEnd = found < 0 || found > end ? end : found;
      if (rest.startsWith("id: ", at)) this.lastEventId = rest.slice(at + 4, lineEnd);
      else if (rest.startsWith("event: gap", at)) isGap = true;
      else if (rest.startsWith("data: ", at)) number = numberIn(rest, at, lineEnd);
      at = lineEnd + 1;
    }
    if (isGap) this.#hearing.told();
    else if (number > 0) this.#hearing.event(number);
  }
}

const MARK = '"seq":';

/** The number after `"seq":` within a stretch of text; 0 if there is none. */
export function numberIn(text: string, from: number, to: number): number {
  const mark = text.indexOf(MARK, from);
  if (mark < 0 || mark >= to) return 0;
  let number = 0;
  for (let at = mark + MARK.length; at < to; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) break;
    number = number * 10 + digit;
  }
  return number;
}

function field(head: string, name: string): string {
  const at = head.toLowerCase().indexOf(`\r\n${name}: `);
  if (at < 0) return "";
  const start = at + name.length + 4;
  const end = head.indexOf("\r\n", start);
  return head.slice(start, end < 0 ? undefined : end);
}
