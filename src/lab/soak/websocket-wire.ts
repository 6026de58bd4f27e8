import { type Hearing, numberIn } from "./sse-wire.ts";

const TEXT = 0x1;
const CLOSE = 0x8;
/** Longest handshake or frame that is waited for, in bytes. */
const REST_MAX = 4 << 20;

/** What a WebSocket client hears beside events. */
export interface WebSocketHearing extends Hearing {
  pinged(): void;
  /** Unsubscribed with a code upon which SDKs subscribe again. */
  resubscribe(): void;
  /** A close frame. */
  closed(code: number): void;
}

/** Reads the Centrifuge protocol, as much of it as a soak needs. Pure: bytes in, what is heard out. */
export class WebSocketWire {
  epoch: string;
  /** Offset of the last event, or where the subscription began. */
  offset: number;
  readonly #hearing: WebSocketHearing;
  #isRecovering: boolean;
  #rest: Buffer | null = null;
  #isInHead = true;

  /** @param from what is asked to be recovered from */
  constructor(hearing: WebSocketHearing, from: { readonly epoch: string; readonly sequence: number } | null) {
    this.#hearing = hearing;
    this.epoch = from?.epoch ?? "";
    this.offset = from?.sequence ?? 0;
    this.#isRecovering = from !== null;
  }

  /** The next subscription is to be recovered: it is one after an unsubscription. */
  expectRecovery(): void {
    this.#isRecovering = true;
  }

  push(chunk: Buffer): void {
    let bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk]);
    if (this.#isInHead) {
      const end = bytes.indexOf("\r\n\r\n");
      if (end < 0) {
        this.#rest = bytes;
        return;
      }
      this.#isInHead = false;
      if (bytes.toString("latin1", 9, 12) !== "101") {
        this.#hearing.notLetIn(bytes.toString("latin1", 9, 12));
        return;
      }
      bytes = bytes.subarray(end + 4);
    }
    let at = 0;
    for (;;) {
      const frame = frameAt(bytes, at);
      if (frame === null) break;
      this.#frame(frame.opcode, bytes.subarray(frame.start, frame.end));
      at = frame.end;
    }
    this.#rest = at === bytes.length ? null : Buffer.from(bytes.subarray(at));
    if (this.#rest !== null && this.#rest.length > REST_MAX) throw new RangeError("a frame without an end");
  }

  #frame(opcode: number, payload: Buffer): void {
    if (opcode === CLOSE) this.#hearing.closed(payload.length >= 2 ? payload.readUInt16BE(0) : 1005);
    if (opcode !== TEXT) return;
    for (const line of payload.toString("latin1").split("\n")) this.#message(line);
  }

  #message(line: string): void {
    if (line.startsWith('{"push":')) this.#push(line);
    else if (line === "{}") this.#hearing.pinged();
    else if (line.includes('"subscribe":')) this.#subscribed(JSON.parse(line) as SubscribeReply);
    else if (line.includes('"error":')) this.#hearing.notLetIn(`error ${/"code":(\d+)/.exec(line)?.[1]}`);
  }

  #push(line: string): void {
    const code = Number(/"unsubscribe":\{"code":(\d+)/.exec(line)?.[1] ?? 0);
    if (code >= 2500) this.#hearing.resubscribe();
    const offset = Number(OFFSET.exec(line)?.[1] ?? 0);
    if (offset === 0) return;
    this.offset = offset;
    this.#hearing.event(numberIn(line, 0, line.length));
  }

  #subscribed({ subscribe }: SubscribeReply): void {
    const { epoch, offset, recovered, publications = [] } = subscribe;
    if (this.#isRecovering && recovered !== true) this.#hearing.told();
    this.#isRecovering = false;
    this.epoch = epoch;
    if (publications.length === 0) this.offset = offset;
    this.#hearing.letIn();
    // One by one: who leaves after one of them has not got the next.
    for (const publication of publications) {
      this.offset = publication.offset;
      this.#hearing.event(publication.data.seq);
    }
  }
}

interface SubscribeReply {
  readonly subscribe: {
    readonly epoch: string;
    readonly offset: number;
    readonly recovered?: boolean;
    readonly publications?: readonly { readonly offset: number; readonly data: { readonly seq: number } }[];
  };
}

const OFFSET = /,"offset":(\d+)/;

/** Where a server's frame lies (RFC 6455, 5.2); null while it is not all there. */
function frameAt(bytes: Buffer, at: number): { opcode: number; start: number; end: number } | null {
  if (bytes.length < at + 2) return null;
  const opcode = (bytes[at] as number) & 0x0f;
  const short = (bytes[at + 1] as number) & 0x7f;
  const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
  const start = at + 2 + lengthBytes;
  if (bytes.length < start) return null;
  const length =
    lengthBytes === 0
      ? short
      : lengthBytes === 2
        ? bytes.readUInt16BE(at + 2)
        : Number(bytes.readBigUInt64BE(at + 2));
  return bytes.length < start + length ? null : { opcode, start, end: start + length };
}
