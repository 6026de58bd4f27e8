import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";

export interface FeedServerOptions {
  /** Whether events carry ids. Default true. */
  readonly ids?: boolean;
  /** Whether `Last-Event-ID` is honoured from the history. Default true. */
  readonly replay?: boolean;
  /** First lines of each stream. Default none. */
  readonly greeting?: string;
  /** Whether a stream begins, after what is replayed, by the id of the last event of all. Default true. */
  readonly marksStart?: boolean;
}

/** Answers a request itself and says true, or says false to have it answered as usual. */
export type Script = (request: IncomingMessage, response: ServerResponse, index: number) => boolean;

interface Held {
  readonly id: number;
  readonly key: string;
  readonly text: string;
}

interface Client {
  readonly response: ServerResponse;
  readonly socket: Socket;
  /** Null: every key. */
  readonly keys: ReadonlySet<string> | null;
}

export interface SeenRequest {
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly atMs: number;
}

/**
 * A real SSE feed on a loopback port, for tests. `?symbols=A,B` asks for keys; none asks for all. It numbers its
 * events, holds them all, and can be killed and started again on the same port.
 */
export class FeedServer implements AsyncDisposable {
  /** Set to answer requests otherwise than by a stream. */
  script: Script | null = null;
  readonly requests: SeenRequest[] = [];
  /** Most streams that were open at one time. */
  streamsPeak = 0;
  readonly #options: Required<FeedServerOptions>;
  readonly #history: Held[] = [];
  readonly #clients = new Set<Client>();
  readonly #sockets = new Set<Socket>();
  #server: Server | null = null;
  #port = 0;
  #lastId = 0;

  constructor(options: FeedServerOptions = {}) {
    this.#options = { ids: true, replay: true, greeting: "", marksStart: true, ...options };
  }

  static async open(options?: FeedServerOptions): Promise<FeedServer> {
    const server = new FeedServer(options);
    await server.start();
    return server;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Streams that are open now. */
  get streams(): number {
    return this.#clients.size;
  }

  /** TCP connections that are open now. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /** Keys that open streams carry. */
  keysServed(): Set<string> {
    return new Set([...this.#clients].flatMap((client) => [...(client.keys ?? [])]));
  }

  /** Listens, the second time on the same port as the first. */
  async start(): Promise<void> {
    const server = createServer((request, response) => this.#answer(request, response));
    server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#server = server;
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Sends an event to whoever asked for its key and holds it; says its id. */
  publish(key: string, fields: object = {}, type = ""): number {
    const id = ++this.#lastId;
    const held = { id, key, text: this.#format(id, { symbol: key, n: id, ...fields }, type) };
    this.#history.push(held);
    for (const client of this.#clients) {
      if (client.keys === null || client.keys.has(key)) client.response.write(held.text);
    }
    return id;
  }

  /** Resolves once a stream for the key is open. */
  streaming(key: string): Promise<void> {
    return until(`a stream for ${key}`, () =>
      [...this.#clients].some((client) => client.keys === null || client.keys.has(key)),
    );
  }

  /** Writes to every open stream, unnumbered and unheld. */
  write(text: string | Buffer): void {
    for (const client of this.#clients) client.response.write(text);
  }

  /** Cuts every connection by a TCP reset. */
  resetAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Cuts one connection by a TCP reset. @param chance which one, in [0, 1) */
  resetOne(chance: number): void {
    [...this.#sockets][Math.floor(chance * this.#sockets.size)]?.resetAndDestroy();
  }

  /** Ends every stream in an orderly way. */
  endAll(): void {
    for (const client of this.#clients) {
      this.#clients.delete(client);
      client.response.end();
    }
  }

  /** Stops listening and resets every connection. History stays for the next `start`. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    if (server === null) return;
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    this.resetAll();
    await closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = request.url ?? "/";
    const index = this.requests.push({ url, headers: request.headers, atMs: performance.now() }) - 1;
    if (this.script?.(request, response, index) === true) return;
    const symbols = new URL(url, this.origin).searchParams.get("symbols");
    const client: Client = {
      response,
      socket: request.socket,
      keys: symbols === null ? null : new Set(symbols.split(",")),
    };
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(this.#options.greeting || ":\n\n");
    const after = Number(request.headers["last-event-id"] ?? Number.NaN);
    if (this.#options.replay && this.#options.ids && !Number.isNaN(after)) {
      for (const held of this.#history) {
        if (held.id > after && (client.keys === null || client.keys.has(held.key))) response.write(held.text);
      }
    }
    // So that a stream that breaks before its first event can be resumed.
    if (this.#options.ids && this.#options.marksStart) response.write(`id: ${this.#lastId}\n\n`);
    this.#clients.add(client);
    this.streamsPeak = Math.max(this.streamsPeak, this.#clients.size);
    response.once("close", () => this.#clients.delete(client));
  }

  #format(id: number, data: object, type: string): string {
    const idLine = this.#options.ids ? `id: ${id}\n` : "";
    const typeLine = type === "" ? "" : `event: ${type}\n`;
    return `${idLine}${typeLine}data: ${JSON.stringify(data)}\n\n`;
  }
}

/** Waits, turn by turn of the event loop, until something holds; fails after the deadline. */
export async function until(what: string, holds: () => boolean, withinMs = 5000): Promise<void> {
  const deadlineMs = performance.now() + withinMs;
  while (!holds()) {
    if (performance.now() > deadlineMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
