import { connect, type Socket } from "node:net";

const PING = Buffer.from([0x81, 0x02, 0x7b, 0x7d]);

/** A client's TCP connection, byte by byte, in as few moves as thousands of them a second allow. */
export class Line {
  readonly socket: Socket;
  /** Whether pings of the Centrifuge protocol are answered. */
  answersPings = false;
  isClosed = false;
  #read = "";
  #wanted: string | null = null;
  #wake: (() => void) | null = null;

  constructor(port: number, address: number) {
    this.socket = connect({ port, host: "127.0.0.1", localAddress: `127.0.0.${address}`, noDelay: true });
    this.socket.on("data", (bytes: Buffer) => this.#take(bytes));
    this.socket.on("error", () => {});
    this.socket.on("close", () => {
      this.isClosed = true;
      this.#wake?.();
    });
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Resolves once the text has come, from the last that was waited for on; false: the line ended before. */
  async got(text: string): Promise<boolean> {
    for (;;) {
      const at = this.#read.indexOf(text);
      if (at >= 0) {
        this.#read = this.#read.slice(at + text.length);
        this.#wanted = null;
        return true;
      }
      if (this.isClosed) return false;
      this.#wanted = text;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Resolves once the line has ended, whoever ended it. */
  async closed(): Promise<void> {
    while (!this.isClosed) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  reset(): void {
    this.socket.resetAndDestroy();
  }

  #take(bytes: Buffer): void {
    if (this.answersPings && bytes.includes(PING)) this.send(textFrame("{}"));
    if (this.#wanted === null && this.#read.length > 4096) return;
    this.#read += bytes.toString("latin1");
    this.#wake?.();
  }
}

/** A client's text frame (RFC 6455, section 5.2), of up to 65,535 bytes. Masked by zeros. */
export function textFrame(text: string): Buffer {
  const bytes = Buffer.from(text);
  const isShort = bytes.length < 126;
  const head = Buffer.alloc(isShort ? 6 : 8);
  head[0] = 0x81;
  head[1] = 0x80 | (isShort ? bytes.length : 126);
  if (!isShort) head.writeUInt16BE(bytes.length, 2);
  return Buffer.concat([head, bytes]);
}

/** A close frame with status 1000. */
export const CLOSE_FRAME = Buffer.from([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]);
