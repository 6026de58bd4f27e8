import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Desk } from "#downstream/desk.ts";
import { WebSocketEndpoint } from "#downstream/websocket-endpoint.ts";

/** An HTTP server that answers upgrades only, on a free port. */
export class WebSocketListener implements AsyncDisposable {
  readonly #server = createServer();
  readonly #sockets = new Set<Socket>();
  port = 0;

  get url(): string {
    return `ws://127.0.0.1:${this.port}/connection/websocket`;
  }

  /** The server's ends of the sockets that are not gone. */
  get sockets(): ReadonlySet<Socket> {
    return this.#sockets;
  }

  static async open(desk: Desk): Promise<WebSocketListener> {
    const listener = new WebSocketListener();
    const endpoint = new WebSocketEndpoint(desk);
    listener.#server.on("connection", (socket: Socket) => {
      listener.#sockets.add(socket);
      socket.on("close", () => listener.#sockets.delete(socket));
    });
    listener.#server.on("upgrade", (request, socket, head) => endpoint.upgrade(request, socket, head));
    listener.#server.listen(0, "127.0.0.1");
    await once(listener.#server, "listening");
    listener.port = (listener.#server.address() as AddressInfo).port;
    return listener;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

export interface Frame {
  readonly opcode: number;
  readonly payload: Buffer;
}

/** Opcodes (RFC 6455, section 5.2). */
export const Opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A WebSocket client that can say anything, well-formed or not, and hides nothing of what comes back. */
export class RawWebSocket {
  readonly socket: Socket;
  /** The answer to the handshake, head only; "" before it came. */
  head = "";
  readonly #frames: Frame[] = [];
  #bytes: Buffer = Buffer.alloc(0);
  #wake: (() => void) | null = null;
  #isOver = false;

  constructor(port: number) {
    this.socket = connect(port, "127.0.0.1");
    this.socket.on("error", () => {});
    this.socket.on("data", (chunk: Buffer) => this.#take(chunk));
    this.socket.on("close", () => {
      this.#isOver = true;
      this.#wake?.();
    });
  }

  /** Dials and shakes hands; a handshake that is refused is no fault here, see `head`. */
  static async dial(port: number, headers: Record<string, string> = {}, query = ""): Promise<RawWebSocket> {
    const client = new RawWebSocket(port);
    await once(client.socket, "connect");
    const all = {
      Host: `127.0.0.1:${port}`,
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    client.socket.write(`GET /connection/websocket${query} HTTP/1.1\r\n${lines.join("")}\r\n`);
    while (client.head === "" && !client.#isOver) await client.#more();
    return client;
  }

  /** Dials and connects in the protocol's sense. */
  static async connected(port: number, connect: object = {}): Promise<RawWebSocket> {
    const client = await RawWebSocket.dial(port);
    client.say({ id: 1, connect });
    await client.heard();
    return client;
  }

  /** One text frame of commands. */
  say(...commands: object[]): void {
    this.frame(Opcode.text, Buffer.from(commands.map((command) => JSON.stringify(command)).join("\n")));
  }

  frame(opcode: number, payload: Uint8Array, { final = true, masked = true, reserved = 0 } = {}): void {
    const length =
      payload.length < 126
        ? [payload.length]
        : payload.length < 65536
          ? [126, payload.length >> 8, payload.length & 255]
          : [127, 0, 0, 0, 0, ...new Uint8Array(new Uint32Array([payload.length]).buffer).reverse()];
    const header = [(final ? 0x80 : 0) | (reserved << 4) | opcode, ...length];
    header[1] = (header[1] as number) | (masked ? 0x80 : 0);
    // A mask of zeros changes nothing, and is as good as any to a server.
    if (masked) header.push(0, 0, 0, 0);
    this.socket.write(Buffer.concat([Uint8Array.from(header), payload]));
  }

  close(code: number, text = ""): void {
    this.frame(Opcode.close, Buffer.concat([Buffer.from([code >> 8, code & 255]), Buffer.from(text)]));
  }

  /** The next frame; null when the socket closed first. */
  async next(): Promise<Frame | null> {
    while (this.#frames.length === 0 && !this.#isOver) await this.#more();
    return this.#frames.shift() ?? null;
  }

  /** The next text frame's messages. */
  // biome-ignore lint/suspicious/noExplicitAny: messages are checked field by field
  async heard(): Promise<any> {
    const frame = await this.next();
    if (frame?.opcode !== Opcode.text) throw new Error(`no text frame but ${JSON.stringify(frame)}`);
    return JSON.parse(frame.payload.toString());
  }

  /** Reads to the socket's end; the code and text of the close frame, null without one. */
  async ended(): Promise<{ code: number; text: string } | null> {
    let closing: { code: number; text: string } | null = null;
    for (let frame = await this.next(); frame !== null; frame = await this.next()) {
      if (closing !== null) throw new Error("a frame behind the close frame");
      if (frame.opcode !== Opcode.close) continue;
      const { payload } = frame;
      closing = {
        code: payload.length < 2 ? 1005 : payload.readUInt16BE(0),
        text: payload.subarray(2).toString(),
      };
    }
    return closing;
  }

  #take(chunk: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    if (this.head === "") {
      const end = this.#bytes.indexOf("\r\n\r\n");
      if (end >= 0) {
        this.head = this.#bytes.subarray(0, end).toString();
        this.#bytes = this.#bytes.subarray(end + 4);
      }
    }
    while (this.head.startsWith("HTTP/1.1 101") && this.#parse()) {}
    this.#wake?.();
  }

  #parse(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const short = (bytes[1] as number) & 127;
    const start = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < start) return false;
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (bytes.length < start + length) return false;
    const payload = bytes.subarray(start, start + length);
    this.#frames.push({ opcode: (bytes[0] as number) & 15, payload });
    this.#bytes = bytes.subarray(start + length);
    return true;
  }

  async #more(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = null;
  }
}
