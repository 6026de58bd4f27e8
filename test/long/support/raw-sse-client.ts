import { noteIn } from "./note.ts";
import { joined, NOTHING, RawClient } from "./raw-client.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
const BLOCK_END = Buffer.from("\n\n");
const EARLIEST = /^mercure-last-event-id: earliest\r?$/im;

/** A client by Mercure. It resumes by `Last-Event-ID`, and is told by `Mercure-Last-Event-ID: earliest`. */
export class RawSseClient extends RawClient {
  readonly transport = "sse";
  #lastEventId = "";
  #rest: Buffer = NOTHING;
  #isInHead = true;

  protected override hello(): void {
    const { host, port, topic, besides } = this.door;
    this.#rest = NOTHING;
    this.#isInHead = true;
    const query = `match=${topic}${besides === undefined ? "" : `&match=${besides}`}`;
    const resume = this.#lastEventId === "" ? "" : `Last-Event-ID: ${this.#lastEventId}\r\n`;
    this.write(
      `GET /.well-known/mercure?${query} HTTP/1.1\r\nHost: ${host}:${port}\r\n` +
        `Accept: text/event-stream\r\nAuthorization: Bearer ${this.token}\r\n${resume}\r\n`,
    );
  }

  protected override take(bytes: Buffer): void {
    let at = 0;
    const all = joined(this.#rest, bytes);
    if (this.#isInHead) {
      const end = all.indexOf(HEAD_END);
      this.#rest = all;
      if (end < 0 || !this.#readHead(all.toString("latin1", 0, end + 2))) return;
      at = end + HEAD_END.length;
    }
    for (;;) {
      const end = all.indexOf(BLOCK_END, at);
      if (end < 0) break;
      this.#block(all.toString("latin1", at, end));
      at = end + BLOCK_END.length;
    }
    this.#rest = all.subarray(at);
  }

  protected override rest(): string {
    return this.#isInHead ? `not let in: ${this.#rest.toString("latin1", 0, 80)}` : "stream ended";
  }

  #readHead(head: string): boolean {
    if (!head.startsWith("HTTP/1.1 200")) return false;
    this.#isInHead = false;
    const isFresh = this.#lastEventId === "";
    this.began(isFresh ? "fresh" : EARLIEST.test(head) ? "told" : "resumed", null);
    return true;
  }

  #block(block: string): void {
    let type = "";
    let data = -1;
    for (let at = 0; at < block.length; ) {
      const end = block.indexOf("\n", at);
      if (block.startsWith("data: ", at)) data = at + 6;
      else if (block.startsWith("id: ", at))
        this.#lastEventId = block.slice(at + 4, end < 0 ? undefined : end);
      else if (block.startsWith("event: ", at)) type = block.slice(at + 7, end < 0 ? undefined : end);
      at = end < 0 ? block.length : end + 1;
    }
    if (type === "" && data >= 0) this.observer.noted(this, noteIn(block, data));
  }
}
