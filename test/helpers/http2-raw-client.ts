import { connect, type TLSSocket } from "node:tls";
import { tlsFixture } from "./http2-feed.ts";

/** Types of frames (RFC 9113, section 6). */
export const FrameType = {
  data: 0,
  headers: 1,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  continuation: 9,
} as const;

const PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
export const END_STREAM = 1;
export const END_HEADERS = 4;

/** `GET https://localhost/`, with indices of the static table (RFC 7541, appendix A). */
export const GET_ROOT = Buffer.concat([Buffer.from([0x82, 0x84, 0x87, 0x01, 9]), Buffer.from("localhost")]);
/** `POST https://localhost/`. */
export const POST_ROOT = Buffer.concat([Buffer.from([0x83]), GET_ROOT.subarray(1)]);

/** An HTTP/2 client that sends any frame it is told to, for what no real client would send. */
export class Http2RawClient {
  readonly socket: TLSSocket;
  /** What came, in order. */
  readonly frames: { readonly type: number; readonly id: number; readonly payload: Buffer }[] = [];
  readonly closed: Promise<void>;

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => socket.once("close", () => resolve()));
    let rest: Buffer = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
        const end = 9 + rest.readUIntBE(0, 3);
        this.frames.push({
          type: rest.readUInt8(3),
          id: rest.readUInt32BE(5),
          payload: rest.subarray(9, end),
        });
        rest = rest.subarray(end);
      }
    });
  }

  static async dial(port: number): Promise<Http2RawClient> {
    const socket = connect({
      port,
      host: "127.0.0.1",
      servername: "localhost",
      ca: [tlsFixture("ca.crt")],
      ALPNProtocols: ["h2"],
    });
    const client = new Http2RawClient(socket);
    await new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
    socket.write(PREFACE);
    client.send(FrameType.settings, 0, 0);
    return client;
  }

  /** The error code of the GOAWAY that came; null: none did. */
  get goaway(): number | null {
    const frame = this.frames.findLast(({ type }) => type === FrameType.goaway);
    return frame === undefined ? null : frame.payload.readUInt32BE(4);
  }

  send(type: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): void {
    if (this.socket.destroyed) return;
    const head = Buffer.alloc(9);
    head.writeUIntBE(payload.length, 0, 3);
    head.writeUInt8(type, 3);
    head.writeUInt8(flags, 4);
    head.writeUInt32BE(id, 5);
    this.socket.write(Buffer.concat([head, payload]));
  }
}
