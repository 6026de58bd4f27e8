import { randomBytes } from "node:crypto";
import { Client, type Position, type TopicPosition } from "./client.ts";
import { HEAD_BYTES_MAX, headEnd, parseHead } from "./http-head.ts";
import { findStamp, STAMP_BYTES } from "./stamp.ts";
import { maskedFrame, Opcode } from "./websocket-frames.ts";

/** A Centrifuge subscriber. Frames are searched for stamps; only those without, and all before it is ready, are parsed. */
export class WebSocketClient extends Client {
  #hasHead = false;
  #subscriptionsLeft = 0;
  #fragments: Buffer[] = [];
  readonly #positions = new Map<string, TopicPosition>();

  get position(): Position | null {
    return this.#positions.size === 0
      ? this.options.from
      : { transport: "websocket", topics: this.#positions };
  }

  protected override greet(): void {
    const { authority, dialect } = this.context.target;
    const lines = [
      `GET ${dialect.websocketPath} HTTP/1.1`,
      `Host: ${authority}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Protocol: centrifuge-json",
      `Sec-WebSocket-Key: ${randomBytes(16).toString("base64")}`,
      "User-Agent: streamkeeper-load",
    ];
    this.send(`${lines.join("\r\n")}\r\n\r\n`);
  }

  protected override take(bytes: Buffer, end: number): number {
    let at = 0;
    if (!this.#hasHead) {
      at = this.#takeHead(bytes, end);
      if (!this.#hasHead) return at;
    }
    while (at + 2 <= end) {
      const first = bytes[at] as number;
      const short = bytes[at + 1] as number;
      let from = at + 2;
      let length = short;
      if (short === 126) {
        if (from + 2 > end) return at;
        length = bytes.readUInt16BE(from);
        from += 2;
      } else if (short === 127) {
        if (from + 8 > end) return at;
        length = bytes.readUInt32BE(from) * 2 ** 32 + bytes.readUInt32BE(from + 4);
        from += 8;
      } else if (short > 127) {
        this.fail("a masked frame came from the server");
        return end;
      }
      const to = from + length;
      if (length > FRAME_BYTES_MAX) {
        this.fail("a frame is too long");
        return end;
      }
      if (to > end) return at;
      if (first === FINAL_TEXT) this.#takeText(bytes, from, to);
      else this.#takeOther(first, bytes, from, to);
      at = to;
    }
    return at;
  }

  #takeHead(bytes: Buffer, end: number): number {
    const at = headEnd(bytes, 0, end);
    if (at < 0) {
      if (end > HEAD_BYTES_MAX) this.fail("its response has no end of head");
      return 0;
    }
    const status = parseHead(bytes.toString("latin1", 0, at))?.status;
    if (status === undefined) this.fail("it answers no HTTP");
    else if (status !== 101) this.fail(`HTTP status ${status}`);
    else {
      this.#hasHead = true;
      const { token } = this.context;
      this.#ask({ id: 1, connect: token === null ? {} : { token } });
    }
    return this.#hasHead ? at : end;
  }

  #takeOther(first: number, bytes: Buffer, from: number, to: number): void {
    const opcode = first & 0x0f;
    if (opcode === Opcode.ping) this.send(maskedFrame(bytes.subarray(from, to), Opcode.pong));
    else if (opcode === Opcode.close) {
      const code = to - from >= 2 ? bytes.readUInt16BE(from) : 1005;
      this.fail(`close code ${code}`);
    } else if (opcode === Opcode.text || opcode === Opcode.continuation) {
      this.#fragments.push(Buffer.from(bytes.subarray(from, to)));
      const bytesHeld = this.#fragments.reduce((sum, { length }) => sum + length, 0);
      if (bytesHeld > FRAME_BYTES_MAX) this.fail("a message is too long");
      else if ((first & 0x80) !== 0) {
        const whole = Buffer.concat(this.#fragments);
        this.#fragments = [];
        this.#takeText(whole, 0, whole.length);
      }
    }
  }

  #takeText(bytes: Buffer, from: number, to: number): void {
    if (to - from === 2) {
      this.send(PONG);
      return;
    }
    let mark = findStamp(bytes, from, to);
    // A batch may hold anything beside events; a single line with an event holds nothing else.
    const isPlain = mark >= 0 && this.isReady && !this.options.keepsPosition;
    if (!isPlain || bytes.subarray(from, to).includes(10)) this.#takeLines(bytes.toString("utf8", from, to));
    while (mark >= 0) {
      this.context.sink.delivered(this, bytes, mark);
      mark = findStamp(bytes, mark + STAMP_BYTES, to);
    }
  }

  #takeLines(text: string): void {
    for (const line of text.split("\n")) {
      if (line === "{}") this.send(PONG);
      else if (line !== "" && (!this.isReady || this.options.keepsPosition || !line.includes('"pub":')))
        this.#takeReply(parse(line));
    }
  }

  #takeReply(reply: Reply): void {
    const { error, connect, subscribe, push } = reply;
    if (error !== undefined) this.fail(`error ${error.code}: ${error.message}`);
    else if (connect !== undefined) {
      this.#subscriptionsLeft = this.options.topics.length;
      for (const [index, topic] of this.options.topics.entries()) this.#subscribe(index + 2, topic);
    } else if (subscribe !== undefined) this.#takeSubscribe(reply.id ?? 0, subscribe);
    else if (push?.pub !== undefined) this.#keep(push.channel, { offset: push.pub.offset ?? 0 });
    else if (push?.unsubscribe !== undefined) this.#takeUnsubscribe(push.channel, push.unsubscribe.code);
    else if (push?.disconnect !== undefined) this.fail(`disconnect ${push.disconnect.code}`);
  }

  #takeSubscribe(id: number, result: SubscribeResult): void {
    const topic = this.options.topics[(id - 2) % this.options.topics.length] as string;
    if (result.was_recovering === true && result.recovered !== true) this.context.sink.gapTold(this, topic);
    // Behind the events that come with it, which are delivered after this.
    this.#keep(topic, { epoch: result.epoch ?? "", offset: result.offset ?? 0 });
    for (const { offset } of result.publications ?? []) this.#keep(topic, { offset: offset ?? 0 });
    this.#subscriptionsLeft--;
    if (this.#subscriptionsLeft === 0 && !this.isReady) this.becomeReady();
  }

  /** Told that events are missing or that it has to subscribe again, as an SDK would (codes from 2500 on). */
  #takeUnsubscribe(topic: string, code: number): void {
    if (code < 2500) {
      this.fail(`unsubscribed with code ${code}`);
      return;
    }
    this.context.sink.gapTold(this, topic);
    this.#positions.delete(topic);
    const index = this.options.topics.indexOf(topic);
    if (index >= 0) this.#subscribe(index + 2 + this.options.topics.length, topic, false);
  }

  #subscribe(id: number, topic: string, resumes = true): void {
    const { from } = this.options;
    const since = resumes && from?.transport === "websocket" ? from.topics.get(topic) : undefined;
    const recovery = since === undefined ? {} : { recover: true, ...since };
    this.#ask({ id, subscribe: { channel: topic, ...recovery } });
  }

  #keep(topic: string, { epoch, offset }: { epoch?: string; offset: number }): void {
    if (!this.options.keepsPosition) return;
    const known = this.#positions.get(topic);
    this.#positions.set(topic, {
      epoch: epoch ?? known?.epoch ?? "",
      offset: Math.max(offset, epoch === undefined ? (known?.offset ?? 0) : 0),
    });
  }

  #ask(command: object): void {
    this.send(maskedFrame(Buffer.from(JSON.stringify(command)), Opcode.text));
  }
}

/** The parts of the protocol's Reply that are looked at. */
interface Reply {
  readonly id?: number;
  readonly error?: { readonly code: number; readonly message: string };
  readonly connect?: object;
  readonly subscribe?: SubscribeResult;
  readonly push?: {
    readonly channel: string;
    readonly pub?: { readonly offset?: number };
    readonly unsubscribe?: { readonly code: number };
    readonly disconnect?: { readonly code: number };
  };
}

interface SubscribeResult {
  readonly epoch?: string;
  readonly offset?: number;
  readonly recovered?: boolean;
  readonly was_recovering?: boolean;
  readonly publications?: readonly { readonly offset?: number }[];
}

const FINAL_TEXT = 0x81;
const FRAME_BYTES_MAX = 16 * 2 ** 20;
const PONG = maskedFrame(Buffer.from("{}"), Opcode.text);

function parse(line: string): Reply {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return { error: { code: 0, message: "a reply is not JSON" } };
  }
}
