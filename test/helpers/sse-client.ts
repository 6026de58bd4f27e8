import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { createParser, type EventSourceMessage } from "eventsource-parser";

export interface SseClientOptions {
  readonly token?: string;
  readonly lastEventId?: string;
  readonly headers?: Record<string, string>;
}

/** A client on a raw socket, as curl is one: it sees the status, the headers and every byte, and can cut the line. */
export class SseClient implements Disposable {
  readonly socket: Socket;
  status = 0;
  head = "";
  body = "";
  /** The id that a browser would send with its next `Last-Event-ID`. */
  lastEventId = "";
  readonly events: EventSourceMessage[] = [];
  readonly #parser = createParser({
    onEvent: (event) => {
      this.events.push(event);
      this.#changed.resolve();
    },
  });
  #changed = Promise.withResolvers<void>();

  constructor(url: string, query: string, options: SseClientOptions = {}) {
    const { hostname, port } = new URL(url);
    this.socket = connect(Number(port), hostname);
    const headers = [
      `GET /.well-known/mercure?${query} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      "Accept: text/event-stream",
      ...(options.token === undefined ? [] : [`Authorization: Bearer ${options.token}`]),
      ...(options.lastEventId === undefined ? [] : [`Last-Event-ID: ${options.lastEventId}`]),
      ...Object.entries(options.headers ?? {}).map(([name, value]) => `${name}: ${value}`),
    ];
    this.socket.write(`${headers.join("\r\n")}\r\n\r\n`);
    this.socket.setEncoding("utf8");
    this.socket.on("data", (text: string) => this.#take(text));
    for (const event of ["end", "error", "close"]) this.socket.on(event, () => this.#changed.resolve());
  }

  header(name: string): string | null {
    return new RegExp(`^${name}: *(.*)$`, "im").exec(this.head)?.[1]?.trim() ?? null;
  }

  /** Resolves once the answer's headers and first bytes are there. */
  async opened(): Promise<this> {
    await this.until(() => this.status !== 0 && (this.body !== "" || this.status !== 200));
    return this;
  }

  /** Resolves once so many events have come; answers their data. */
  async data(count: number): Promise<string[]> {
    await this.until(() => this.events.length >= count);
    return this.events.map((event) => event.data);
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      if (this.socket.destroyed || this.socket.readableEnded) {
        throw new Error(`the stream ended early: ${this.head.slice(0, 200)} ${this.body.slice(-200)}`);
      }
      this.#changed = Promise.withResolvers<void>();
      await this.#changed.promise;
    }
  }

  /** Resolves when the gateway has ended the stream. */
  async ended(): Promise<void> {
    if (!this.socket.readableEnded && !this.socket.destroyed) await once(this.socket, "close");
  }

  /** Cuts the line with a reset. */
  cut(): void {
    this.socket.resetAndDestroy();
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }

  #take(text: string): void {
    let rest = text;
    if (this.status === 0) {
      this.head += text;
      const end = this.head.indexOf("\r\n\r\n");
      if (end < 0) return;
      rest = this.head.slice(end + 4);
      this.head = this.head.slice(0, end);
      this.status = Number(this.head.split(" ")[1]);
    }
    this.body += rest;
    this.#parser.feed(rest);
    for (const match of rest.matchAll(/^id: (.*)$/gm)) this.lastEventId = match[1] as string;
    this.#changed.resolve();
  }
}
