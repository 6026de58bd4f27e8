/**
 * A feed as bad as feeds get: it answers each request as told, from any status to endless lines and HTTP/2's GOAWAY. As
 * a stream it sends numbered events of many keys as fast as asked for, with ids, history and `Last-Event-ID`.
 * `GET /…?symbols=K000,K001` asks for keys, without `symbols` for all.
 */
import { createServer, type IncomingMessage } from "node:http";
import { createSecureServer, type Http2SecureServer, type Http2ServerRequest } from "node:http2";
import type { AddressInfo, Server, Socket } from "node:net";
import type { Clock, Timer } from "#base/clock.ts";
import { resetSocket } from "../reset-socket.ts";
import { type Answer, type Answers, type FeedRequest, streamAnswer } from "./answer.ts";
import { breakOff, type FeedResponse, FeedStream, writableOf } from "./feed-stream.ts";
import { NumberedEvents, type NumberedEventsOptions } from "./numbered-events.ts";
import { answerRaw } from "./raw-answer.ts";

export interface FaultFeedOptions extends NumberedEventsOptions {
  /** Default: the stream, always. */
  readonly answers?: Answers;
  /** PEM: HTTPS, with HTTP/2 where the client offers it. Absent: HTTP/1.1 in plain text. */
  readonly tls?: { readonly cert: string; readonly key: string };
  /** Events that `Last-Event-ID` reaches back to; 0: it is ignored. Default: all. */
  readonly historyEvents?: number;
  /** Time between two comments on each stream, in milliseconds; null: none. Default null. */
  readonly heartbeatMs?: number | null;
}

/** Requests that are remembered. */
const REQUESTS_MAX = 10_000;
/** How often what falls due is sent while events are played at a rate. */
const PLAY_MS = 5;

/** Listens on a free loopback port. */
export async function openFaultFeed(options: FaultFeedOptions, clock: Clock): Promise<FaultFeed> {
  const feed = new FaultFeed(options, clock);
  await feed.listen();
  return feed;
}

export class FaultFeed implements AsyncDisposable {
  answers: Answers;
  readonly events: NumberedEvents;
  /** The last ones, oldest first. */
  readonly requests: FeedRequest[] = [];
  /** Most connections, and most streams, that were open at one time. */
  readonly peaks = { connections: 0, streams: 0 };
  readonly #options: FaultFeedOptions;
  readonly #clock: Clock;
  readonly #streams = new Set<FeedStream>();
  readonly #sockets = new Set<Socket>();
  readonly #tasks = new Set<{ timer: Timer | null; readonly done: () => void }>();
  readonly #server: Server | Http2SecureServer;
  #requestCount = 0;
  #head = 0;
  #closing: Promise<void> | null = null;

  constructor(options: FaultFeedOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.answers = options.answers ?? (() => streamAnswer);
    this.events = new NumberedEvents(options);
    const answer = (request: IncomingMessage | Http2ServerRequest, response: FeedResponse) =>
      this.#answer(request, response);
    const { tls } = options;
    const server =
      tls === undefined ? createServer(answer) : createSecureServer({ ...tls, allowHTTP1: true }, answer);
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket);
      this.peaks.connections = Math.max(this.peaks.connections, this.#sockets.size);
      socket.on("error", () => {});
      socket.once("close", () => this.#sockets.delete(socket));
    });
    // Of HTTP/2: broken off by the client, or by us. Without a listener it would end the process.
    server.on("sessionError", () => {});
    server.on("tlsClientError", () => {});
    this.#server = server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get origin(): string {
    return this.#options.tls === undefined
      ? `http://127.0.0.1:${this.port}`
      : `https://localhost:${this.port}`;
  }

  /** The number of the last event. */
  get head(): number {
    return this.#head;
  }

  get connections(): number {
    return this.#sockets.size;
  }

  get streams(): number {
    return this.#streams.size;
  }

  /** Open streams that carry a key. */
  streamsOf(key: string): number {
    let count = 0;
    for (const stream of this.#streams) if (stream.carries(key)) count++;
    return count;
  }

  async listen(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(0, "127.0.0.1", () => resolve());
    });
    const { heartbeatMs = null } = this.#options;
    if (heartbeatMs !== null) {
      this.#every(heartbeatMs, () => {
        for (const stream of this.#streams) stream.comment();
        return true;
      });
    }
  }

  /** So many more events come to be, now. */
  publish(count = 1): void {
    this.#head += count;
    for (const stream of this.#streams) stream.advance(this.#head);
  }

  /** So many more events come to be, at a rate; resolves when the last has, or when the feed is closed. */
  play(count: number, perSecond: number): Promise<void> {
    const startMs = this.#clock.monotonicMs();
    let played = 0;
    return new Promise((resolve) => {
      this.#every(
        PLAY_MS,
        () => {
          const dueNow = Math.floor(((this.#clock.monotonicMs() - startMs) / 1000) * perSecond);
          const more = Math.min(count, dueNow) - played;
          played += more;
          if (more > 0) this.publish(more);
          return played < count;
        },
        resolve,
      );
    });
  }

  /** HTTPS only: what it shows to connections from now on. */
  showCertificate(pair: { readonly cert: string; readonly key: string }): void {
    if ("setSecureContext" in this.#server) this.#server.setSecureContext(pair);
  }

  /** Ends every stream in an orderly way. */
  endStreams(): void {
    for (const stream of this.#streams) stream.end();
  }

  /** Resets every connection. */
  resetConnections(): void {
    for (const socket of this.#sockets) resetSocket(socket);
  }

  /** Resets every connection and stops listening. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    for (const { timer, done } of this.#tasks) {
      timer?.cancel();
      done();
    }
    this.#tasks.clear();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.resetConnections();
    await closed;
  }

  #answer(request: IncomingMessage | Http2ServerRequest, response: FeedResponse): void {
    const asked = this.#read(request);
    if (this.requests.push(asked) > REQUESTS_MAX) this.requests.shift();
    this.#give(this.answers(asked), asked, request, response);
  }

  #give(
    answer: Answer,
    asked: FeedRequest,
    request: IncomingMessage | Http2ServerRequest,
    response: FeedResponse,
  ): void {
    switch (answer.kind) {
      case "stream": {
        const stream = new FeedStream(asked, answer, response, this.events, this.#cursorOf(asked));
        this.#streams.add(stream);
        this.peaks.streams = Math.max(this.peaks.streams, this.#streams.size);
        writableOf(response).once("close", () => this.#streams.delete(stream));
        stream.advance(this.#head);
        return;
      }
      case "status": {
        const { retryAfter, headers = {} } = answer;
        for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
        if (retryAfter !== undefined)
          response.setHeader(
            "retry-after",
            typeof retryAfter === "number" ? String(retryAfter) : retryAfter.toUTCString(),
          );
        response.statusCode = answer.status;
        writableOf(response).end();
        return;
      }
      case "redirect": {
        const hop = Number(/\/hop\/(\d+)/.exec(asked.path)?.[1] ?? 0);
        response.statusCode = answer.status ?? 307;
        response.setHeader("location", answer.to === "loop" ? `/hop/${hop + 1}` : answer.to);
        writableOf(response).end();
        return;
      }
      case "silence":
        return;
      default:
        if (request.httpVersionMajor < 2) answerRaw(answer, request.socket, this.#clock);
        else if (answer.kind !== "slow_head") breakOff(response, "rst_stream");
    }
  }

  #read(request: IncomingMessage | Http2ServerRequest): FeedRequest {
    const { headers, url = "/", httpVersion } = request;
    const symbols = new URL(url, "http://feed").searchParams.get("symbols");
    return {
      index: this.#requestCount++,
      path: url,
      keys: symbols === null ? null : new Set(symbols.split(",")),
      lastEventId: String(headers["last-event-id"] ?? ""),
      headers,
      httpVersion,
      atMs: this.#clock.nowMs(),
    };
  }

  #cursorOf({ lastEventId }: FeedRequest): number {
    const { historyEvents = Number.POSITIVE_INFINITY } = this.#options;
    if (!/^\d{1,15}$/.test(lastEventId) || historyEvents === 0) return this.#head;
    return Math.min(this.#head, Math.max(Number(lastEventId), this.#head - historyEvents));
  }

  /** Runs again and again until it answers false, or the feed is closed; then says that it is done. */
  #every(ms: number, run: () => boolean, done: () => void = () => {}): void {
    const task = { timer: null as Timer | null, done };
    this.#tasks.add(task);
    const arm = () => {
      task.timer = this.#clock.after(ms, () => {
        if (run()) {
          arm();
          return;
        }
        this.#tasks.delete(task);
        done();
      });
    };
    arm();
  }
}
