import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { HEAD_BYTES_MAX, headEnd, parseHead } from "./http-head.ts";
import type { LoadTarget } from "./target.ts";
import { tlsOptions } from "./tls-options.ts";

/** Who hears of what became of an event. */
export interface PublisherSink {
  /**
   * In the order of `publish`.
   *
   * @param refusal why the event was not taken: an HTTP status, what the server said, or that nobody knows; null: it was
   */
  answered(ticket: Ticket, refusal: string | null): void;
}

/** An event under way. */
export interface Ticket {
  readonly stream: number;
  readonly sequence: number;
  readonly timeUs: number;
}

/**
 * One publisher: a keep-alive connection with a bounded number of requests under way, opened again when it breaks. What was
 * under way then is not repeated, since it may have been taken.
 */
export class Publisher {
  readonly #target: LoadTarget;
  readonly #authorization: string;
  readonly #sink: PublisherSink;
  #socket: Socket | null = null;
  #underWay: Ticket[] = [];
  #pending: Buffer = Buffer.alloc(0);

  constructor(target: LoadTarget, token: string | null, sink: PublisherSink) {
    this.#target = target;
    const { publishFormat } = target.dialect;
    this.#authorization =
      token === null
        ? ""
        : publishFormat === "centrifugo"
          ? `X-API-Key: ${token}\r\n`
          : `Authorization: Bearer ${token}\r\n`;
    this.#sink = sink;
  }

  get requestsUnderWay(): number {
    return this.#underWay.length;
  }

  publish(topic: string, data: string, ticket: Ticket): void {
    this.#socket ??= this.#open();
    this.#underWay.push(ticket);
    this.#socket.write(this.#request(topic, data));
  }

  /** Nothing more is waited for. */
  giveUp(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.destroy();
    this.#lose("no answer");
  }

  #request(topic: string, data: string): string {
    const { authority, dialect } = this.#target;
    const isForm = dialect.publishFormat === "mercure";
    const body = isForm
      ? `topic=${encodeURIComponent(topic)}&data=${encodeURIComponent(data)}&private=on`
      : `{"channel":${JSON.stringify(topic)},"data":${data}}`;
    return (
      `POST ${dialect.publishPath} HTTP/1.1\r\nHost: ${authority}\r\n${this.#authorization}` +
      `Content-Type: ${isForm ? "application/x-www-form-urlencoded" : "application/json"}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
    );
  }

  #open(): Socket {
    const { secure, host, port } = this.#target;
    const options = { host, port, noDelay: true };
    const socket = secure ? connectTls({ ...options, ...tlsOptions(this.#target) }) : connect(options);
    socket.on("data", (bytes: Buffer) => this.#read(bytes));
    socket.on("error", () => {});
    socket.on("close", () => this.#broke(socket));
    this.#pending = Buffer.alloc(0);
    return socket;
  }

  #read(bytes: Buffer): void {
    this.#pending = this.#pending.length === 0 ? bytes : Buffer.concat([this.#pending, bytes]);
    for (;;) {
      const end = headEnd(this.#pending, 0, this.#pending.length);
      if (end < 0) {
        if (this.#pending.length > HEAD_BYTES_MAX) this.#socket?.destroy();
        return;
      }
      const head = parseHead(this.#pending.toString("latin1", 0, end));
      // What it says at such length, or without saying how long, is no answer to a publisher.
      const length = head?.contentLength ?? (head?.isChunked ? null : 0);
      if (head === null || length === null || length > ANSWER_BYTES_MAX) {
        this.#socket?.destroy();
        return;
      }
      if (this.#pending.length < end + length) return;
      const body = this.#pending.subarray(end, end + length);
      this.#pending = this.#pending.subarray(end + length);
      const ticket = this.#underWay.shift();
      if (ticket !== undefined) this.#sink.answered(ticket, this.#refusalOf(head.status, body));
    }
  }

  #refusalOf(status: number, body: Buffer): string | null {
    if (status < 200 || status >= 300) return String(status);
    return this.#target.dialect.publishFormat === "centrifugo"
      ? centrifugoError(body.toString("utf8"))
      : null;
  }

  #broke(socket: Socket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#lose("connection broke");
  }

  #lose(why: string): void {
    const lost = this.#underWay;
    this.#underWay = [];
    for (const ticket of lost) this.#sink.answered(ticket, why);
  }
}

const ANSWER_BYTES_MAX = 64 * 1024;

/**
 * Centrifugo's HTTP API answers 200 to what it refuses too, with `{"error":{"code":…,"message":…}}`; null: it took it. Only the
 * code is told: messages may differ from event to event.
 */
function centrifugoError(body: string): string | null {
  const said = parseJson(body);
  if (typeof said !== "object" || said === null) return "no answer of Centrifugo's";
  const { error } = said as { error?: { code?: unknown } | null };
  if (error === undefined || error === null) return null;
  return typeof error.code === "number" ? `error ${error.code}` : "error without a code";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
