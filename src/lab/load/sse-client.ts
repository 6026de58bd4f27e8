import { Client, type Position } from "./client.ts";
import { Dechunker, HEAD_BYTES_MAX, headEnd, parseHead } from "./http-head.ts";
import { findStamp, STAMP_BYTES } from "./stamp.ts";

/** A Mercure subscriber. What comes is cut at empty lines and searched for stamps; only what has none is read as text. */
export class SseClient extends Client {
  #hasHead = false;
  #dechunker: Dechunker | null = null;
  /** Text of a chunked body whose event is not whole yet. */
  #rest: Buffer | null = null;
  #lastEventId = "";

  get position(): Position | null {
    const { from } = this.options;
    if (this.#lastEventId !== "") return { transport: "sse", lastEventId: this.#lastEventId };
    return from;
  }

  protected override greet(): void {
    const { target, token } = this.context;
    const { ssePath, sseParameter } = target.dialect;
    const query = this.options.topics
      .map((topic) => `${sseParameter}=${encodeURIComponent(topic)}`)
      .join("&");
    const from = this.options.from?.transport === "sse" ? this.options.from.lastEventId : null;
    const lines = [
      `GET ${ssePath}?${query} HTTP/1.1`,
      `Host: ${target.authority}`,
      "Accept: text/event-stream",
      "User-Agent: streamkeeper-load",
      ...(token === null ? [] : [`Authorization: Bearer ${token}`]),
      ...(from === null ? [] : [`Last-Event-ID: ${from}`]),
    ];
    this.send(`${lines.join("\r\n")}\r\n\r\n`);
  }

  protected override take(bytes: Buffer, end: number): number {
    let from = 0;
    if (!this.#hasHead) {
      from = this.#takeHead(bytes, end);
      if (!this.#hasHead) return from;
    }
    if (this.#dechunker === null) return this.#takeText(bytes, from, end);
    const got = this.#dechunker.take(bytes, from, end, (start, to) => this.#takeChunk(bytes, start, to));
    if (got === null) this.fail("its chunked coding is broken");
    else if (this.#dechunker.isEnded) this.fail("closed by the server");
    return got ?? end;
  }

  #takeHead(bytes: Buffer, end: number): number {
    const at = headEnd(bytes, 0, end);
    if (at < 0) {
      if (end > HEAD_BYTES_MAX) this.fail("its response has no end of head");
      return 0;
    }
    const head = parseHead(bytes.toString("latin1", 0, at));
    if (head === null) this.fail("it answers no HTTP");
    else if (head.status !== 200) this.fail(`HTTP status ${head.status}`);
    else if (!(head.field("content-type") ?? "").startsWith("text/event-stream"))
      this.fail("its answer is no event stream");
    else {
      this.#hasHead = true;
      if (head.isChunked) this.#dechunker = new Dechunker();
      const { from } = this.options;
      const told = head.field("mercure-last-event-id") ?? head.field("last-event-id");
      // Asked to go on, and begun elsewhere: the protocol's way to say that something is missing.
      const isGap = from?.transport === "sse" && told !== null && told !== from.lastEventId;
      if (isGap) this.context.sink.gapTold(this, null);
      if (told !== null) this.#lastEventId = told;
      this.becomeReady();
    }
    return this.#hasHead ? at : end;
  }

  #takeChunk(bytes: Buffer, from: number, to: number): void {
    const text =
      this.#rest === null
        ? Buffer.from(bytes.subarray(from, to))
        : Buffer.concat([this.#rest, bytes.subarray(from, to)]);
    const got = this.#takeText(text, 0, text.length);
    this.#rest = got < text.length ? text.subarray(got) : null;
    if (this.#rest !== null && this.#rest.length > REST_BYTES_MAX) this.fail("an event is too long");
  }

  /** Reads whole events; answers where the first that is not whole begins. */
  #takeText(bytes: Buffer, from: number, end: number): number {
    const to = lastEventEnd(bytes, from, end);
    if (to <= from) return from;
    let mark = findStamp(bytes, from, to);
    if (mark < 0 || this.options.keepsPosition || bytes.subarray(from, to).includes(GAP))
      this.#takeFields(bytes.toString("latin1", from, to));
    while (mark >= 0) {
      this.context.sink.delivered(this, bytes, mark);
      mark = findStamp(bytes, mark + STAMP_BYTES, to);
    }
    return to;
  }

  #takeFields(text: string): void {
    if (this.options.keepsPosition) {
      const at = text.lastIndexOf("\nid: ") + 1;
      if (at > 0 || text.startsWith("id: ")) this.#lastEventId = text.slice(at + 4, text.indexOf("\n", at));
    }
    if (/^event: gap$/m.test(text)) {
      for (const [, data] of text.matchAll(/^event: gap\ndata: (.*)$/gm))
        for (const topic of topicsOf(data as string)) this.context.sink.gapTold(this, topic);
    }
  }
}

const REST_BYTES_MAX = 16 * 2 ** 20;
const LINE_FEED = 10;
const GAP = Buffer.from("event: gap");

/** Behind the last empty line within `from` to `end`; `from`: there is none. */
function lastEventEnd(bytes: Buffer, from: number, end: number): number {
  for (let at = end - 1; at > from; at--) {
    if (bytes[at] === LINE_FEED && bytes[at - 1] === LINE_FEED) return at + 1;
  }
  return from;
}

/** The topics of a `gap` event's data; null where it names none. */
function topicsOf(data: string): (string | null)[] {
  try {
    const { topics } = JSON.parse(data) as { topics?: unknown };
    return Array.isArray(topics) && topics.every((topic) => typeof topic === "string") ? topics : [null];
  } catch {
    return [null];
  }
}
