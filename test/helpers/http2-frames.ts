import type { AddressInfo, Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { tlsFixture } from "./http2-feed.ts";

/** Types of frames (RFC 9113, section 6). */
const Frame = { data: 0, headers: 1, reset: 3, settings: 4, ping: 6, goaway: 7 } as const;

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const ACK = 1;
const END_HEADERS = 4;

/** `:status: 200`, and `content-type: text/event-stream` as a literal (RFC 7541, appendix A and 6.2.2). */
const STREAM_HEADERS = Buffer.concat([
  Buffer.from([0x88, 0x0f, 0x10, 17]),
  Buffer.from("text/event-stream", "latin1"),
]);

/**
 * An HTTP/2 server that does only what it is told, for tests: what Node's own can't be made to do, such as to leave a
 * PING without an answer, or to cut a stream in the middle.
 */
export class FrameServer implements AsyncDisposable {
  /** Whether PINGs are answered. */
  answersPings = true;
  pings = 0;
  /** Streams that were asked for, on each connection. */
  readonly asked: { readonly socket: TLSSocket; readonly id: number }[] = [];
  /** Error codes of streams that the client cut. */
  readonly cut: number[] = [];
  readonly sockets = new Set<TLSSocket>();
  accepted = 0;
  readonly #server: Server;
  readonly #onAsked: (server: FrameServer, socket: TLSSocket, id: number) => void;

  private constructor(onAsked: FrameServer["respond"] | null) {
    this.#onAsked = (server, socket, id) =>
      onAsked === null ? server.respond(socket, id) : onAsked(socket, id);
    this.#server = createServer({
      key: tlsFixture("good.key"),
      cert: tlsFixture("good.crt"),
      ALPNProtocols: ["h2"],
    });
  }

  /** @param onAsked what to do with a request; null: a stream is opened */
  static async open(onAsked: FrameServer["respond"] | null = null): Promise<FrameServer> {
    const server = new FrameServer(onAsked);
    server.#server.on("secureConnection", (socket) => server.#accept(socket));
    server.#server.on("tlsClientError", () => {});
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  get origin(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Opens a stream of events. */
  respond(socket: TLSSocket, id: number): void {
    send(socket, Frame.headers, END_HEADERS, id, STREAM_HEADERS);
  }

  data(socket: TLSSocket, id: number, text: string): void {
    send(socket, Frame.data, 0, id, Buffer.from(text));
  }

  reset(socket: TLSSocket, id: number, code: number): void {
    send(socket, Frame.reset, 0, id, uint32(code));
  }

  goaway(socket: TLSSocket, lastId: number, code: number): void {
    send(socket, Frame.goaway, 0, 0, Buffer.concat([uint32(lastId), uint32(code)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  #accept(socket: TLSSocket): void {
    this.accepted++;
    this.sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => this.sockets.delete(socket));
    send(socket, Frame.settings, 0, 0, Buffer.alloc(0));
    let rest: Buffer = Buffer.alloc(0);
    let seen = 0;
    socket.on("data", (chunk: Buffer) => {
      const skipped = Math.min(chunk.length, PREFACE.length - seen);
      seen += skipped;
      rest = Buffer.concat([rest, chunk.subarray(skipped)]);
      while (rest.length >= 9) {
        const length = rest.readUIntBE(0, 3);
        if (rest.length < 9 + length) break;
        const payload = rest.subarray(9, 9 + length);
        this.#frame(socket, rest.readUInt8(3), rest.readUInt8(4), rest.readUInt32BE(5), payload);
        rest = rest.subarray(9 + length);
      }
    });
  }

  #frame(socket: TLSSocket, type: number, flags: number, id: number, payload: Buffer): void {
    const isAck = (flags & ACK) !== 0;
    if (type === Frame.settings && !isAck) send(socket, Frame.settings, ACK, 0, Buffer.alloc(0));
    if (type === Frame.ping && !isAck) {
      this.pings++;
      if (this.answersPings) send(socket, Frame.ping, ACK, 0, payload);
    }
    if (type === Frame.reset) this.cut.push(payload.readUInt32BE(0));
    if (type === Frame.headers) {
      this.asked.push({ socket, id });
      this.#onAsked(this, socket, id);
    }
  }
}

function send(socket: Socket, type: number, flags: number, id: number, payload: Buffer): void {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id, 5);
  socket.write(Buffer.concat([head, payload]));
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
