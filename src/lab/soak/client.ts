import { connect as connectPlain, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Random } from "#base/random.ts";
import { formatCursor, parseCursor } from "#protocol/cursor.ts";
import { resetSocket } from "../reset-socket.ts";
import { type Hearing, SseWire } from "./sse-wire.ts";
import { WebSocketWire } from "./websocket-wire.ts";

export type SoakTransport = "sse" | "websocket";

/** Where clients come in. */
export interface Door {
  readonly port: number;
  /** PEM of the certificate to trust, for TLS; null: plain TCP. */
  readonly ca: string | null;
  readonly tokens: readonly string[];
}

export interface SoakCursor {
  readonly epoch: string;
  readonly sequence: number;
}

/** Whom a client belongs to. */
export interface ClientOwner extends Hearing {
  /** The connection is over, and not by `end`. Said once. @param code a WebSocket close code; 0: none came */
  cut(code: number, why: string): void;
}

const HOST = "127.0.0.1";
/** Loopback addresses that clients come from, so that ports do not run out where many ends are orderly. */
const ADDRESSES = 16;
const GOODBYE = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);

/**
 * One connection with one topic, on a raw socket and as cheap as it gets: turnover is what a soak is about. It signs in
 * with a token, by header or by `connect` command, and resumes from a cursor by either transport.
 */
export class SoakClient {
  readonly transport: SoakTransport;
  /** Answers pings. A client that falls silent does not. */
  isAnswering = true;
  readonly #owner: ClientOwner;
  readonly #topic: string;
  readonly #socket: Socket;
  /** What carries it: itself, or beneath TLS. Only that can be reset. */
  readonly #raw: Socket;
  readonly #wire: SseWire | WebSocketWire;
  #isOver = false;
  #closeCode = 0;
  #fault = "";
  #commandId = 2;

  constructor(
    owner: ClientOwner,
    transport: SoakTransport,
    topic: string,
    from: SoakCursor | null,
    door: Door,
    random: Random,
  ) {
    this.transport = transport;
    this.#owner = owner;
    this.#topic = topic;
    const token = door.tokens[Math.floor(random() * door.tokens.length)] as string;
    this.#wire =
      transport === "sse"
        ? new SseWire(owner, from === null ? "" : formatCursor(from))
        : new WebSocketWire(this.#webSocketHearing(), from);
    const localAddress =
      process.platform === "linux" ? `127.0.0.${2 + Math.floor(random() * ADDRESSES)}` : HOST;
    const { port, ca } = door;
    this.#raw = connectPlain({ host: HOST, port, localAddress, noDelay: true });
    const socket: Socket =
      ca === null ? this.#raw : connectTls({ socket: this.#raw, servername: "localhost", ca });
    this.#raw.on("error", () => {});
    this.#socket = socket;
    socket.write(transport === "sse" ? sseHello(topic, token, from) : webSocketHello(topic, token, from));
    socket.on("data", (chunk: Buffer) => this.#take(chunk));
    socket.on("error", (error) => {
      this.#fault = (error as NodeJS.ErrnoException).code ?? error.message;
    });
    socket.on("close", () => this.#closed());
  }

  /** Where to resume from; null before there is such a place. */
  get cursor(): SoakCursor | null {
    if (this.#wire instanceof SseWire) return parseCursor(this.#wire.lastEventId);
    return this.#wire.epoch === "" ? null : { epoch: this.#wire.epoch, sequence: this.#wire.offset };
  }

  /** Leaves: in an orderly way, or by a reset. Nothing is heard after it. */
  end(how: "orderly" | "reset"): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (how === "reset" || this.#socket.connecting) {
      resetSocket(this.#raw);
      this.#socket.destroy();
      return;
    }
    if (this.transport === "websocket") this.#socket.end(GOODBYE);
    else this.#socket.end();
    this.#socket.resume();
  }

  /** Reads no more. */
  pause(): void {
    this.#socket.pause();
  }

  #take(chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#wire instanceof SseWire) this.#wire.push(chunk.toString("latin1"));
    else this.#wire.push(chunk);
  }

  #closed(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#owner.cut(this.#closeCode, this.#fault);
  }

  #webSocketHearing() {
    const owner = this.#owner;
    return {
      letIn: () => owner.letIn(),
      notLetIn: (why: string) => owner.notLetIn(why),
      told: () => owner.told(),
      event: (number: number) => {
        if (!this.#isOver) owner.event(number);
      },
      pinged: () => {
        if (this.isAnswering && !this.#isOver) this.#socket.write(PONG);
      },
      resubscribe: () => this.#resubscribe(),
      closed: (code: number) => {
        this.#closeCode = code;
        this.#socket.end();
      },
    };
  }

  #resubscribe(): void {
    if (this.#isOver || !(this.#wire instanceof WebSocketWire)) return;
    const { epoch, offset } = this.#wire;
    this.#wire.expectRecovery();
    const subscribe = { channel: this.#topic, recover: true, epoch, offset };
    this.#socket.write(textFrame(JSON.stringify({ id: ++this.#commandId, subscribe })));
  }
}

function sseHello(topic: string, token: string, from: SoakCursor | null): string {
  const resume = from === null ? "" : `Last-Event-ID: ${formatCursor(from)}\r\n`;
  return (
    `GET /.well-known/mercure?match=${topic} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n` +
    `Authorization: Bearer ${token}\r\n${resume}\r\n`
  );
}

/** The handshake and both commands at once: the gateway reads on where the handshake ends. */
function webSocketHello(topic: string, token: string, from: SoakCursor | null): Buffer {
  const recover = from === null ? {} : { recover: true, epoch: from.epoch, offset: from.sequence };
  const connect = JSON.stringify({ id: 1, connect: { token } });
  const subscribe = JSON.stringify({ id: 2, subscribe: { channel: topic, ...recover } });
  return Buffer.concat([UPGRADE, textFrame(`${connect}\n${subscribe}`)]);
}

const UPGRADE = Buffer.from(
  "GET /connection/websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: centrifuge-json\r\n" +
    "Sec-WebSocket-Key: c3RyZWFta2VlcGVyc29haw==\r\n\r\n",
);

/** A client's text frame (RFC 6455, 5.2). The mask is zero, which masks nothing and costs nothing. ASCII only. */
function textFrame(text: string): Buffer {
  const { length } = text;
  const head = length < 126 ? [0x81, 0x80 | length] : [0x81, 0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), Buffer.from(text, "latin1")]);
}

const PONG = textFrame("{}");
