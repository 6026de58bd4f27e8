import { numberIn } from "./note.ts";
import { RawClient } from "./raw-client.ts";

const HEAD_END = "\r\n\r\n";
const OPCODE_CLOSE = 8;
/** The last command, so that all is there when it is answered. */
const SUBSCRIBE_ID = 3;
const PUSH = '{"push":';
const PONG = maskedText("{}");
const NOTHING = Buffer.alloc(0);

interface Subscribed {
  readonly epoch: string;
  readonly offset: number;
  readonly recovered?: boolean;
  readonly publications?: readonly object[];
}

/** A client by the Centrifuge protocol that recovers from its position, as SDKs do, and is told by `recovered`. */
export class RawWebSocketClient extends RawClient {
  readonly transport = "websocket";
  #epoch: string | null = null;
  #offset = 0;
  /** An event's offset less its number: the same for all where nothing else is published. */
  #offsetOfZero: number | null = null;
  /** What came of a frame that is not whole. */
  #rest: Buffer = NOTHING;
  #isInHead = true;
  #lastWord = "";
  /** The commands up to where it resumes. */
  #commands = "";

  override take(bytes: Buffer): void {
    const all = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    let at = 0;
    if (this.#isInHead) {
      const end = all.indexOf(HEAD_END, 0, "latin1");
      if (end < 0 || !this.#readHead(all.toString("latin1", 0, end))) {
        this.#rest = Buffer.from(all);
        return;
      }
      at = end + HEAD_END.length;
    }
    while (all.length - at >= 2) {
      const short = (all[at + 1] as number) & 0x7f;
      const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
      if (all.length < start) break;
      const length =
        short < 126 ? short : short === 126 ? all.readUInt16BE(at + 2) : Number(all.readBigUInt64BE(at + 2));
      if (all.length < start + length) break;
      if (((all[at] as number) & 0x0f) === OPCODE_CLOSE)
        this.#lastWord = `closed with ${all.readUInt16BE(start)}`;
      else this.#message(all.toString("latin1", start, start + length));
      at = start + length;
    }
    this.#rest = at === all.length ? NOTHING : Buffer.from(all.subarray(at));
  }

  protected override begin(): void {
    this.#rest = NOTHING;
    this.#isInHead = true;
    this.#lastWord = "";
  }

  protected override hello(): string {
    const { host, port } = this.door;
    return (
      `GET /connection/websocket HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Protocol: centrifuge-json\r\n\r\n"
    );
  }

  protected override rest(): string {
    return this.#isInHead
      ? `not let in: ${this.#rest.toString("latin1", 0, 80)}`
      : this.#lastWord || "socket ended";
  }

  #readHead(head: string): boolean {
    if (!head.startsWith("HTTP/1.1 101")) return false;
    this.#isInHead = false;
    if (this.#commands === "") {
      const { topic, besides } = this.door;
      const before = [
        { id: 1, connect: { token: this.token } },
        ...(besides === undefined ? [] : [{ id: 2, subscribe: { channel: besides } }]),
      ];
      this.#commands = `${before.map((command) => JSON.stringify(command)).join("\n")}
{"id":${SUBSCRIBE_ID},"subscribe":{"channel":${JSON.stringify(topic)}`;
    }
    const resume =
      this.#epoch === null
        ? ""
        : `,"recover":true,"epoch":${JSON.stringify(this.#epoch)},"offset":${this.#offset}`;
    this.write(maskedText(`${this.#commands}${resume}}}`));
    return true;
  }

  #message(message: string): void {
    for (let at = 0; at < message.length; ) {
      const found = message.indexOf("\n", at);
      const end = found < 0 ? message.length : found;
      if (message.startsWith(PUSH, at)) this.#publication(found < 0 ? message : message.slice(0, end), at);
      else if (end - at === 2) this.write(PONG);
      else this.#reply(message.slice(at, end));
      at = end + 1;
    }
  }

  #reply(line: string): void {
    const { id, subscribe, error } = JSON.parse(line) as {
      id: number;
      subscribe?: Subscribed;
      error?: object;
    };
    if (error !== undefined) this.#lastWord = line;
    if (subscribe === undefined || id !== SUBSCRIBE_ID) return;
    const isFresh = this.#epoch === null;
    this.#epoch = subscribe.epoch;
    this.#offset = subscribe.offset;
    const next = this.#offsetOfZero === null ? null : subscribe.offset - this.#offsetOfZero + 1;
    if (isFresh) this.began("fresh", null);
    else if (subscribe.recovered === true) this.began("resumed", null);
    else this.began("told", next);
    for (const publication of subscribe.publications ?? []) this.#publication(JSON.stringify(publication), 0);
  }

  /** @param text holds `"data":`, with a note, before the last `"offset":` */
  #publication(text: string, start: number): void {
    const data = text.indexOf('"data":', start);
    if (data < 0) {
      this.#lastWord = text;
      return;
    }
    const mark = text.lastIndexOf('"offset":');
    const offset = Number.parseInt(text.slice(mark + 9, mark + 29), 10);
    if (this.door.isAlone) {
      const number = numberIn(text, data);
      this.#offsetOfZero ??= offset - number;
      if (offset - number !== this.#offsetOfZero) throw new Error(`offset ${offset} at ${number}`);
    }
    this.#offset = offset;
    this.observer.noted(this, text, data);
  }
}

/** A client's text frame, one character a byte; the text is ASCII. All masks are as good as the same one here. */
function maskedText(text: string): string {
  const { length } = text;
  const head =
    length < 126
      ? `\x81${String.fromCharCode(0x80 | length)}`
      : `\x81\xfe${String.fromCharCode(length >> 8, length & 0xff)}`;
  return `${head}\0\0\0\0${text}`;
}
