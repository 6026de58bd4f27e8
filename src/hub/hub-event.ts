import { encodePublicationPush } from "#protocol/centrifuge-encode.ts";
import { formatCursor } from "#protocol/cursor.ts";
import { type Publication, WireFormat } from "#protocol/event.ts";
import { encodeSseEvent } from "#protocol/sse-encode.ts";

/** What an event costs beside its texts: the object, its place in the ring and in its topics' chains. Measured roughly, rounded up. */
const EVENT_OVERHEAD_BYTES = 320;

/** Where the bytes of held events are added up. */
export interface Ledger {
  readonly epoch: string;
  bytes: number;
}

/**
 * An event with its place in the log. Each wire format is encoded at most once; every subscriber, live or
 * replaying, gets the same buffer.
 */
export class HubEvent {
  readonly sequence: number;
  /** When the hub took it, in milliseconds since the Unix epoch. */
  readonly timeMs: number;
  readonly topics: readonly [string, ...string[]];
  readonly data: string;
  readonly type: string;
  /** The publisher's own id, or null. */
  readonly id: string | null;
  readonly retryMs: number | null;
  readonly private: boolean;
  readonly #ledger: Ledger;
  #bytes: number;
  #held = false;
  #sse: Buffer | null = null;
  #push: Buffer | null = null;
  #alternatePushes: Map<string, Buffer> | null = null;

  constructor(sequence: number, timeMs: number, publication: Publication, ledger: Ledger) {
    this.sequence = sequence;
    this.timeMs = timeMs;
    this.topics = publication.topics;
    this.data = publication.data;
    this.type = publication.type ?? "";
    this.id = publication.id ?? null;
    this.retryMs = publication.retryMs ?? null;
    this.private = publication.private ?? false;
    this.#ledger = ledger;
    this.#bytes = EVENT_OVERHEAD_BYTES + this.textBytes;
  }

  /** What its texts cost, as though none of them were anybody else's. */
  get textBytes(): number {
    let length = this.data.length + this.type.length + (this.id?.length ?? 0);
    for (const topic of this.topics) length += topic.length;
    return 2 * length;
  }

  /** What it costs, frames that were encoded so far included. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The SSE event id: the publisher's own, else the cursor. */
  get sseId(): string {
    return this.id ?? formatCursor({ epoch: this.#ledger.epoch, sequence: this.sequence });
  }

  /**
   * The event's bytes in a wire format, ready for the socket.
   *
   * @param topic one of the event's topics; the WebSocket's push names it, SSE's bytes are the same for all
   */
  frame(format: WireFormat, topic: string): Buffer {
    if (format === WireFormat.sse) {
      this.#sse ??= this.#charge(
        encodeSseEvent({ id: this.sseId, type: this.type, data: this.data, retryMs: this.retryMs }),
      );
      return this.#sse;
    }
    if (topic === this.topics[0]) {
      this.#push ??= this.#charge(this.#encodePush(topic));
      return this.#push;
    }
    this.#alternatePushes ??= new Map();
    let push = this.#alternatePushes.get(topic);
    if (push === undefined) {
      push = this.#charge(this.#encodePush(topic));
      this.#alternatePushes.set(topic, push);
    }
    return push;
  }

  /** Called by the log when it takes the event: from now on its bytes count. */
  hold(): void {
    this.#held = true;
    this.#ledger.bytes += this.#bytes;
  }

  /** Called by the log when it lets the event go. Whoever still reads it may go on. */
  release(): void {
    this.#held = false;
    this.#ledger.bytes -= this.#bytes;
  }

  #charge(frame: Buffer): Buffer {
    this.#bytes += frame.length;
    if (this.#held) this.#ledger.bytes += frame.length;
    return frame;
  }

  #encodePush(topic: string): Buffer {
    return encodePublicationPush(topic, {
      offset: this.sequence,
      data: this.data,
      type: this.type,
      timeMs: this.timeMs,
    });
  }
}
