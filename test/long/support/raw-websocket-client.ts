import { noteIn } from "./note.ts";
import { joined, NOTHING, RawClient } from "./raw-client.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
const OPCODE_CLOSE = 8;
/** The last command, so that all is there when it is answered. */
const SUBSCRIBE_ID = 3;
const PUSH = '{"push":';
const PONG = maskedText("{}");

interface Subscribed {
  readonly epoch: string;
  readonly offset: number;
  readonly recovered?: boolean;
  readonly publications?: readonly object[];
}

/** A client by the Centrifuge protocol that recovers from its position, as SDKs do, and is told by `recovered`. */
export class RawWebSocketClient extends RawClient {
  readonly transport = "websocket";
  #position: { epoch: string; offset: number } | null = null;
  /** An event's offset less its number: the same for all where nothing else is published. */
  #offsetOfZero: number | null = null;
  #rest: Buffer = NOTHING;
  #isInHead = true;
  #lastWord = "";

  protected override hello(): void {
    const { host, port } = this.door;
    this.#rest = NOTHING;
    this.#isInHead = true;
    this.#lastWord = "";
    this.write(
      `GET /connection/websocket HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n" +
        "Sec-WebSocket-Protocol: centrifuge-json\r\n\r\n",
    );
  }

  protected override take(bytes: Buffer): void {
    let at = 0;
    const all = joined(this.#rest, bytes);
    if (this.#isInHead) {
      const end = all.indexOf(HEAD_END);
      this.#rest = all;
      if (end < 0 || !this.#readHead(all.toString("latin1", 0, end))) return;
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
    this.#rest = all.subarray(at);
  }

  protected override rest(): string {
    return this.#isInHead
      ? `not let in: ${this.#rest.toString("latin1", 0, 80)}`
      : this.#lastWord || "socket ended";
  }

  #readHead(head: string): boolean {
    if (!head.startsWith("HTTP/1.1 101")) return false;
    this.#isInHead = false;
    const resume = this.#position === null ? {} : { recover: true, ...this.#position };
    const { topic, besides } = this.door;
    const commands = [
      { id: 1, connect: { token: this.token } },
      ...(besides === undefined ? [] : [{ id: 2, subscribe: { channel: besides } }]),
      { id: SUBSCRIBE_ID, subscribe: { channel: topic, ...resume } },
    ];
    this.write(maskedText(commands.map((command) => JSON.stringify(command)).join("\n")));
    return true;
  }

  #message(message: string): void {
    for (const line of message.split("\n")) {
      if (line.startsWith(PUSH)) this.#publication(line);
      else if (line === "{}") this.write(PONG);
      else this.#reply(line);
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
    const isFresh = this.#position === null;
    this.#position = { epoch: subscribe.epoch, offset: subscribe.offset };
    const next = this.#offsetOfZero === null ? null : subscribe.offset - this.#offsetOfZero + 1;
    if (isFresh) this.began("fresh", null);
    else if (subscribe.recovered === true) this.began("resumed", null);
    else this.began("told", next);
    for (const publication of subscribe.publications ?? []) this.#publication(JSON.stringify(publication));
  }

  /** @param text holds `"data":`, with a note, before `"offset":` */
  #publication(text: string): void {
    const data = text.indexOf('"data":');
    if (data < 0) {
      this.#lastWord = text;
      return;
    }
    const note = noteIn(text, data);
    const mark = text.lastIndexOf('"offset":');
    const offset = Number.parseInt(text.slice(mark + 9, mark + 29), 10);
    if (this.door.isAlone) {
      this.#offsetOfZero ??= offset - note.number;
      if (offset - note.number !== this.#offsetOfZero) throw new Error(`offset ${offset} at ${note.number}`);
    }
    if (this.#position !== null) this.#position.offset = offset;
    this.observer.noted(this, note);
  }
}

/** A client's text frame. All masks are as good as the same one here. */
function maskedText(text: string): Buffer {
  const payload = Buffer.from(text);
  const { length } = payload;
  const head =
    length < 126 ? Buffer.from([0x81, 0x80 | length]) : Buffer.from([0x81, 0xfe, length >> 8, length & 0xff]);
  return Buffer.concat([head, Buffer.alloc(4), payload]);
}
