/**
 * The demo feed: a real SSE server that replays recorded prices, sped up, for ever. `GET /quotes?symbols=AAPL,MSFT`
 * answers a snapshot of each symbol, then what changes; a client that comes back with `Last-Event-ID` gets what it
 * missed. Now and then it resets a connection, as the feeds of this world do.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock, Timer } from "#base/clock.ts";
import type { Random } from "#base/random.ts";
import { type FeedItem, Replay } from "./replay.ts";
import { readRequest } from "./request.ts";

export interface DemoFeedOptions {
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 0: any free port. */
  readonly port?: number;
  /** Of each symbol. Default 10. */
  readonly eventsPerSecond?: number;
  /** How far back `Last-Event-ID` reaches, in milliseconds. Default 60,000. */
  readonly historyMs?: number;
  /** Shortest and longest time between two resets of a connection, in milliseconds; null: never. Default 20,000 to 40,000. */
  readonly resetEveryMs?: readonly [min: number, max: number] | null;
  /** Time between two comments that keep idle proxies from cutting, in milliseconds. Default 10,000. */
  readonly heartbeatMs?: number;
}

export interface DemoFeed extends AsyncDisposable {
  readonly port: number;
  /** Streams that are open. */
  readonly streams: number;
  /** Connections that it has reset on purpose. */
  readonly resets: number;
  /** Ends every stream and the listener. Idempotent. */
  close(): Promise<void>;
}

/** Starts the server. Rejects with the system's error when the port is in use. */
export async function openDemoFeed(
  options: DemoFeedOptions,
  clock: Clock,
  random: Random,
): Promise<DemoFeed> {
  const feed = new Feed(options, clock, random);
  await feed.listen(options.host ?? "127.0.0.1", options.port ?? 0);
  return feed;
}

const STREAMS_MAX = 1000;
/** How often what has fallen due is written; several events of one turn leave in one write. */
const PUMP_MS = 20;
const RETRY_MS = 1000;
/** How long a client may take to read the end of its stream. */
const CLOSE_MS_MAX = 500;
/** Events written at a time to a client that catches up, so that its socket is asked now and then whether it reads. */
const BATCH_EVENTS = 256;

class Feed implements DemoFeed {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #replay: Replay;
  readonly #historyEvents: number;
  readonly #resetEveryMs: readonly [number, number] | null;
  readonly #heartbeatMs: number;
  readonly #server: Server;
  readonly #streams = new Set<Stream>();
  readonly #timers = new Map<string, Timer>();
  #head = 0;
  #closed: Promise<void> | null = null;
  resets = 0;

  constructor(options: DemoFeedOptions, clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
    this.#replay = new Replay(options.eventsPerSecond ?? 10);
    this.#historyEvents = this.#replay.eventsIn(options.historyMs ?? 60_000);
    this.#resetEveryMs = options.resetEveryMs === undefined ? [20_000, 40_000] : options.resetEveryMs;
    this.#heartbeatMs = options.heartbeatMs ?? 10_000;
    this.#server = createServer((request, response) => this.#answer(request, response));
    this.#server.maxConnections = STREAMS_MAX;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get streams(): number {
    return this.#streams.size;
  }

  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        resolve();
      });
    });
    this.#advance();
  }

  close(): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      this.#disarm();
      const deadline = this.#clock.after(CLOSE_MS_MAX, () => this.#server.closeAllConnections());
      this.#server.close(() => {
        deadline.cancel();
        resolve();
      });
      for (const { response } of this.#streams) response.end();
    });
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const asked = readRequest(
      request.method ?? "",
      request.url ?? "",
      request.headers["last-event-id"]?.toString(),
      this.#replay.symbols,
    );
    if (!asked.ok) {
      const headers = {
        "content-type": "text/plain; charset=utf-8",
        ...(asked.status === 405 ? { allow: "GET" } : {}),
      };
      response.writeHead(asked.status, headers).end(asked.text);
      return;
    }
    this.#advance();
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      connection: "close",
    });
    const stream = new Stream(response, new Set(asked.symbols), this.#resumePoint(asked.lastNumber));
    this.#streams.add(stream);
    response.on("error", () => {});
    response.on("close", () => this.#leave(stream));
    response.on("drain", () => this.#pump(stream));
    response.write(`retry: ${RETRY_MS}\n: the demo feed of Streamkeeper\n\n${this.#snapshots(stream)}`);
    this.#pump(stream);
    this.#armAll();
  }

  /** The number after which a client wants events: its own, if it is still held; else the newest. */
  #resumePoint(lastNumber: number | null): number {
    const held =
      lastNumber !== null && lastNumber <= this.#head && lastNumber >= this.#head - this.#historyEvents;
    return held ? lastNumber : this.#head;
  }

  /**
   * Each symbol as of the resume point, with the id of the event that it is the outcome of: a client that was cut knows
   * that id and may drop it as a double, one that asks for a symbol more needs it. In order of ids, so that being cut
   * amid them loses nothing.
   */
  #snapshots(stream: Stream): string {
    return Array.from(stream.symbols, (symbol) => this.#replay.snapshot(symbol, stream.sent))
      .sort((a, b) => a.number - b.number)
      .map(encode)
      .join("");
  }

  /** Writes what has fallen due, as far as the client reads. One that falls out of the history is cut. */
  #pump(stream: Stream): void {
    if (stream.response.writableEnded) return;
    if (stream.response.destroyed || stream.response.writableNeedDrain) {
      if (this.#head - stream.sent > this.#historyEvents) stream.response.destroy();
      return;
    }
    while (stream.sent < this.#head) {
      const until = Math.min(this.#head, stream.sent + BATCH_EVENTS);
      let text = "";
      for (let number = stream.sent + 1; number <= until; number++) {
        if (stream.symbols.has(this.#replay.symbolOf(number))) text += encode(this.#replay.event(number));
      }
      stream.sent = until;
      if (text !== "" && !stream.response.write(text)) return;
    }
  }

  #leave(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size === 0) this.#disarm();
  }

  #disarm(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #advance(): void {
    // Never back, should the wall clock be set back: ids only rise.
    this.#head = Math.max(this.#head, this.#replay.numberAt(this.#clock.nowMs()));
  }

  #armAll(): void {
    this.#every(
      "pump",
      () => PUMP_MS,
      () => {
        this.#advance();
        for (const stream of this.#streams) this.#pump(stream);
      },
    );
    this.#every(
      "heartbeat",
      () => this.#heartbeatMs,
      () => {
        for (const { response } of this.#streams) if (!response.writableNeedDrain) response.write(":\n\n");
      },
    );
    const resetEveryMs = this.#resetEveryMs;
    if (resetEveryMs === null) return;
    const [minMs, maxMs] = resetEveryMs;
    this.#every(
      "reset",
      () => minMs + this.#random() * (maxMs - minMs),
      () => this.#resetOne(),
    );
  }

  #resetOne(): void {
    const victim = [...this.#streams][Math.floor(this.#random() * this.#streams.size)];
    if (victim === undefined) return;
    this.resets++;
    victim.response.socket?.resetAndDestroy();
  }

  /** Runs again and again while there are streams; arming what is armed does nothing. */
  #every(name: string, intervalMs: () => number, run: () => void): void {
    if (this.#timers.has(name)) return;
    const fire = () => {
      this.#timers.delete(name);
      run();
      if (this.#streams.size > 0 && this.#closed === null) this.#every(name, intervalMs, run);
    };
    this.#timers.set(name, this.#clock.after(intervalMs(), fire));
  }
}

class Stream {
  readonly response: ServerResponse;
  readonly symbols: ReadonlySet<string>;
  /** Number of the last event that was written or was not this client's. */
  sent: number;

  constructor(response: ServerResponse, symbols: ReadonlySet<string>, sent: number) {
    this.response = response;
    this.symbols = symbols;
    this.sent = sent;
  }
}

function encode({ number, data }: FeedItem): string {
  return `id: ${number}\ndata: ${data}\n\n`;
}
