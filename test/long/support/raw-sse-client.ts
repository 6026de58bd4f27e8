import { RawClient } from "./raw-client.ts";

const HEAD_END = "\r\n\r\n";
const BLOCK_END = "\n\n";
const EARLIEST = /^mercure-last-event-id: earliest\r?$/im;

/** A client by Mercure. It resumes by `Last-Event-ID`, and is told by `Mercure-Last-Event-ID: earliest`. */
export class RawSseClient extends RawClient {
  readonly transport = "sse";
  #request = "";
  #lastEventId = "";
  /** What came of a block that is not whole. */
  #rest = "";
  #isInHead = true;

  override take(bytes: Buffer): void {
    const came = bytes.toString("latin1");
    const all = this.#rest === "" ? came : this.#rest + came;
    let at = 0;
    if (this.#isInHead) {
      this.#rest = all;
      const end = all.indexOf(HEAD_END);
      if (end < 0 || !this.#readHead(all.slice(0, end + 2))) return;
      at = end + HEAD_END.length;
    }
    for (let end = all.indexOf(BLOCK_END, at); end >= 0; end = all.indexOf(BLOCK_END, at)) {
      this.#block(all, at, end);
      at = end + BLOCK_END.length;
    }
    this.#rest = at === all.length ? "" : all.slice(at);
  }

  protected override begin(): void {
    this.#rest = "";
    this.#isInHead = true;
  }

  protected override hello(): string {
    if (this.#request === "") {
      const { host, port, topic, besides } = this.door;
      const query = `match=${topic}${besides === undefined ? "" : `&match=${besides}`}`;
      this.#request =
        `GET /.well-known/mercure?${query} HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
        `Accept: text/event-stream\r\nAuthorization: Bearer ${this.token}\r\n`;
    }
    const resume = this.#lastEventId === "" ? "" : `Last-Event-ID: ${this.#lastEventId}\r\n`;
    return `${this.#request}${resume}\r\n`;
  }

  protected override rest(): string {
    return this.#isInHead ? `not let in: ${this.#rest.slice(0, 80)}` : "stream ended";
  }

  #readHead(head: string): boolean {
    if (!head.startsWith("HTTP/1.1 200")) return false;
    this.#isInHead = false;
    const isFresh = this.#lastEventId === "";
    this.began(isFresh ? "fresh" : EARLIEST.test(head) ? "told" : "resumed", null);
    return true;
  }

  #block(text: string, start: number, end: number): void {
    let isTyped = false;
    let data = -1;
    for (let at = start; at < end; ) {
      const found = text.indexOf("\n", at);
      const lineEnd = found < 0 || found > end ? end : found;
      if (text.startsWith("data: ", at)) data = at + 6;
      else if (text.startsWith("id: ", at)) this.#lastEventId = text.slice(at + 4, lineEnd);
      else if (text.startsWith("event: ", at)) isTyped = true;
      at = lineEnd + 1;
    }
    if (!isTyped && data >= 0) this.observer.noted(this, text, data);
  }
}
