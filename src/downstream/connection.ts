import type { Identity } from "#auth/identity.ts";
import type { Timer } from "#base/clock.ts";
import { codeOf } from "#base/errors.ts";
import { WheelTask } from "#base/timer-wheel.ts";
import type { HubEvent } from "#hub/hub.ts";
import { CLOSE_REASONS, CloseReason } from "#protocol/close-reason.ts";
import { WireFormat } from "#protocol/event.ts";
import type { ByteSink } from "./byte-sink.ts";
import { ConflatedQueue } from "./conflated-queue.ts";
import type { Desk } from "./desk.ts";
import type { Flushable } from "./flusher.ts";
import { SlowVerdict, slowVerdict } from "./slow-consumer.ts";
import { reasonOfSocketError } from "./socket-error.ts";
import type { Transport } from "./transport.ts";
import { WRITE_BYTES_MAX, writeShare } from "./write-share.ts";

/** How long a socket may take to hand over its last bytes before it is destroyed, in milliseconds. */
const FAREWELL_MS = 5000;

/** The share of `limits.connectionAge` over which ends by age are spread: those that came together leave apart. */
const AGE_SPREAD = 0.25;

/** The sink points back to its connection, so that its listeners are shared functions and not closures. */
const CONNECTION = Symbol("connection");
type OwnedSink = ByteSink & { [CONNECTION]?: Connection | undefined };

/**
 * One downstream client connection, of either transport: its socket, or its stream where it shares one, its byte-bounded
 * queue, its one `close(reason)`. Where it says socket it means either.
 *
 *     opening ──> open ──close(reason)──> closed
 *                            │
 *                            └─ terminal state, then the socket, then subscribers, then the books
 *
 * Frames are shared and never changed. They are written once per event-loop turn; while the socket takes no more,
 * they wait here, and at the bound the verdict is `slow_consumer`.
 */
export abstract class Connection extends WheelTask implements Flushable {
  readonly id: string;
  readonly transport: Transport;
  /** Where it comes from, as limits and log lines count it. */
  readonly address: string;
  /** Wall-clock time of its opening, in milliseconds. */
  readonly openedAtMs: number;
  identity: Identity;
  protected readonly desk: Desk;
  protected readonly sink: ByteSink;
  readonly #openedMonotonicMs: number;
  /** When it is too old, monotonic; infinite: never. */
  readonly #oldAtMs: number;
  #queue: Buffer[] = [];
  #queuedBytes = 0;
  #queuedSinceMs = 0;
  /** What waits while the socket takes nothing, where `slowConsumer` is `conflate`. */
  #behind: ConflatedQueue | null = null;
  #isConflated = false;
  #scheduled = false;
  #blockedSinceMs: number | null = null;
  #closed: CloseReason | null = null;
  #farewell: Timer | null = null;
  #socketClosed = false;
  #isKeptAlive = false;

  constructor(desk: Desk, sink: ByteSink, transport: Transport, address: string, identity: Identity) {
    super();
    this.desk = desk;
    this.sink = sink;
    this.transport = transport;
    this.address = address;
    this.identity = identity;
    this.id = desk.nextConnectionId();
    this.openedAtMs = desk.clock.nowMs();
    this.#openedMonotonicMs = desk.clock.monotonicMs();
    const { connectionAgeMs } = desk.limits;
    this.#oldAtMs =
      connectionAgeMs === null
        ? Number.POSITIVE_INFINITY
        : this.#openedMonotonicMs + connectionAgeMs * (1 - AGE_SPREAD * desk.random());
    (sink as OwnedSink)[CONNECTION] = this;
    sink.on("error", onError);
    sink.on("end", onEnd);
    sink.on("close", onClose);
    sink.on("drain", onDrain);
    desk.registry.add(this);
  }

  /** Why it ended; null while it is open. */
  get closed(): CloseReason | null {
    return this.#closed;
  }

  /** Bytes that wait for the client: here and in the socket. */
  get queuedBytes(): number {
    return (
      this.#queuedBytes + (this.#behind?.bytes ?? 0) + (this.sink.destroyed ? 0 : this.sink.writableLength)
    );
  }

  /** Whether the socket has not taken what it was given for `heartbeat.timeout`: nobody reads at the other end. */
  protected get isStalled(): boolean {
    return this.stalledInMs <= 0;
  }

  /** Milliseconds until `isStalled` can come true; infinite while the socket takes bytes. */
  protected get stalledInMs(): number {
    if (this.#blockedSinceMs === null) return Number.POSITIVE_INFINITY;
    return this.#blockedSinceMs + this.desk.heartbeat.timeoutMs - this.desk.clock.monotonicMs();
  }

  /** Milliseconds until it is too old; infinite: never. */
  protected get untilOldMs(): number {
    return this.#oldAtMs - this.desk.clock.monotonicMs();
  }

  /** What its identity may do has changed: what it may no longer have ends. */
  authorise(identity: Identity): void {
    this.identity = identity;
  }

  /** True once the socket is gone, its last bytes handed over or given up. */
  get isSocketClosed(): boolean {
    return this.#socketClosed;
  }

  /** True once the socket was destroyed; that it is closed is told a turn later. */
  get isSocketDestroyed(): boolean {
    return this.sink.destroyed;
  }

  /** Destroys the socket of a connection that has ended and still lingers. */
  destroySocket(): void {
    if (this.#closed !== null) this.sink.destroy();
  }

  /** How many subscribers it holds. */
  abstract get subscriberCount(): number;

  /** Queues an event's frame. It leaves at the end of this event-loop turn, or when the socket takes bytes again. */
  deliverFrame(frame: Buffer): void {
    this.desk.counters.deliveries[this.transport]++;
    this.enqueue(frame);
  }

  /**
   * Queues a live event's frame; for a client that is behind, the state of its topic instead, in place of an older one.
   *
   * @param topic the one for which the client gets the event
   */
  deliverLive(frame: Buffer, event: HubEvent, topic: string): void {
    if (this.#blockedSinceMs === null || this.#closed !== null || event.topics.length > 1) {
      this.deliverFrame(frame);
      return;
    }
    const state = this.desk.slowConsumer === "conflate" ? this.desk.hub.stateOf(topic) : null;
    const hasState = state !== null && state.sequence === event.sequence;
    if (this.#verdict(hasState) !== SlowVerdict.conflate) {
      this.deliverFrame(frame);
      return;
    }
    this.desk.counters.deliveries[this.transport]++;
    this.#behind ??= new ConflatedQueue();
    if (this.#behind.put(topic, state as HubEvent) && !this.#isConflated) {
      this.#isConflated = true;
      this.desk.counters.slowConsumers.add("conflate");
    }
    this.#lookAtBound();
  }

  /** Queues any frame; frames leave in the order of their queueing. After the end it is dropped. */
  enqueue(frame: Buffer): void {
    if (this.#closed !== null) return;
    if (this.#behind !== null) {
      this.#behind.push(frame);
      this.#lookAtBound();
      return;
    }
    if (this.#queue.length === 0) this.#queuedSinceMs = this.desk.clock.monotonicMs();
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    this.#lookAtBound();
  }

  /** Has `flush`, and so `onWritable`, called at the end of this turn. */
  protected requestFlush(): void {
    if (this.#closed === null && !this.#scheduled && this.#blockedSinceMs === null) this.#schedule();
  }

  /** Called by the flusher, once a turn at most. */
  flush(): void {
    this.#scheduled = false;
    if (this.#closed !== null) return;
    if (this.#blockedSinceMs === null) {
      this.#writeOn();
      if (this.#closed === null && this.#blockedSinceMs === null) this.onWritable();
    } else if (this.#verdict(false) === SlowVerdict.disconnect) {
      this.close(CloseReason.slow_consumer, "its queue reached limits.queueBytes");
    }
  }

  /**
   * The one end, whoever starts it. Idempotent: the first reason counts. What is queued still leaves when the end is
   * polite; a client that does not read, or whose socket failed, is cut.
   *
   * @param detail for the log line only; never a secret
   */
  close(reason: CloseReason, detail?: string): void {
    if (this.#closed !== null) return;
    this.#closed = reason;
    this.desk.wheel.disarm(this);
    // The socket goes first: bookkeeping may take its time, and must not find it writable.
    this.#endSocket(reason);
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#behind = null;
    this.release();
    this.desk.registry.remove(
      this,
      reason,
      (this.desk.clock.monotonicMs() - this.#openedMonotonicMs) / 1000,
      detail,
    );
  }

  /** Last bytes for the client, such as a close frame; null for none. */
  protected abstract goodbye(reason: CloseReason): Buffer | null;

  /** Ends what belongs to the connection: subscriptions, readers. Called once, after the socket was ended. */
  protected abstract release(): void;

  /** A frame as this client is to get it. What is queued has been through it. */
  protected outgoing(frame: Buffer): Buffer {
    return frame;
  }

  /**
   * Has the operating system ask, after `heartbeat.interval` of silence, whether the peer is still there. Called when it
   * has been here for a while: it costs several system calls, and in a storm most are gone again by then.
   */
  protected keepAlive(): void {
    if (this.#isKeptAlive) return;
    this.#isKeptAlive = true;
    this.sink.setKeepAlive?.(true, this.desk.heartbeat.intervalMs);
  }

  /** The socket takes bytes: a replay may go on. */
  protected onWritable(): void {}

  /** The socket takes no more: `isStalled` is to be looked at after `stalledInMs`, not only at the next heartbeat. */
  protected onBlocked(): void {}

  /** Has the queue looked at or written at the end of this turn. */
  #lookAtBound(): void {
    if (this.#scheduled) return;
    // While blocked, `drain` flushes; only a queue over its bound must be looked at before.
    if (this.#blockedSinceMs !== null && this.queuedBytes <= this.desk.limits.queueBytes) return;
    this.#schedule();
  }

  #verdict(hasState: boolean): SlowVerdict {
    return slowVerdict({
      isBlocked: this.#blockedSinceMs !== null,
      queuedBytes: this.queuedBytes,
      queueBytesMax: this.desk.limits.queueBytes,
      policy: this.desk.slowConsumer,
      hasState,
    });
  }

  /** Writes what is queued, then what waits behind: where the queue's rest has to wait for the next turn, that does too. */
  #writeOn(): void {
    this.#write();
    if (this.#behind === null || this.#queue.length > 0 || this.#blockedSinceMs !== null) return;
    this.#catchUp(this.#behind);
    if (this.sink.writableNeedDrain) this.#block();
  }

  /** Writes what waited behind, piece by piece: no more than the socket likes at a time. */
  #catchUp(behind: ConflatedQueue): void {
    const { sink } = this;
    const format = this.transport === "sse" ? WireFormat.sse : WireFormat.centrifugeJson;
    const frameOf = (state: HubEvent) => this.outgoing(state.frame(format, state.topics[0]));
    sink.cork();
    while (!sink.writableNeedDrain) {
      const frame = behind.shift(frameOf);
      if (frame === null) break;
      this.desk.counters.bytesWritten += frame.length;
      sink.write(frame);
    }
    sink.uncork();
    if (behind.size === 0) {
      this.#behind = null;
      this.#isConflated = false;
    }
  }

  #block(): void {
    this.#blockedSinceMs = this.desk.clock.monotonicMs();
    if (this.#closed === null) this.onBlocked();
  }

  #schedule(): void {
    this.#scheduled = true;
    this.desk.flusher.schedule(this);
  }

  /** Writes what is queued, or its first part where that is too much at once. */
  #write(most = WRITE_BYTES_MAX): void {
    const parts = this.#queue;
    if (parts.length === 0) return;
    const { sink } = this;
    const all = { count: parts.length, bytes: this.#queuedBytes };
    const { count, bytes } = all.bytes <= most ? all : writeShare(parts, most);
    this.#queuedBytes -= bytes;
    this.desk.counters.bytesWritten += bytes;
    this.desk.flusher.wrote(this.#queuedSinceMs);
    const single =
      count === 1 ? (parts[0] as Buffer) : count === all.count ? this.desk.flusher.join(parts, bytes) : null;
    if (single === null) {
      sink.cork();
      for (let n = 0; n < count; n++) sink.write(parts[n] as Buffer);
      sink.uncork();
    } else {
      sink.write(single);
    }
    if (count === all.count) parts.length = 0;
    else parts.splice(0, count);
    if (sink.writableNeedDrain) this.#block();
    else if (parts.length > 0) this.requestFlush();
  }

  /** @internal */
  drained(): void {
    this.#blockedSinceMs = null;
    if (this.#closed !== null) return;
    // Written from here and not at the turn's end: the bytes have waited long enough.
    this.#writeOn();
    if (this.#closed === null && this.#blockedSinceMs === null) this.onWritable();
  }

  /** @internal The socket is gone. Whatever the reason was, it is known by now, or it was the client's. */
  socketClosed(): void {
    this.#socketClosed = true;
    this.#farewell?.cancel();
    this.#farewell = null;
    this.desk.registry.socketClosed(this);
    this.close(CloseReason.client_closed);
  }

  #endSocket(reason: CloseReason): void {
    const { sink } = this;
    if (sink.destroyed) return;
    if (this.#blockedSinceMs !== null || CUT.has(reason)) {
      sink.destroy();
      return;
    }
    // When the client has said its last, `ws` has ended the socket by now: what would be written gave errors only.
    if (!sink.writableEnded) {
      this.#write(Number.POSITIVE_INFINITY);
      const goodbye = this.goodbye(reason);
      if (goodbye === null) sink.end();
      else sink.end(goodbye);
    }
    // Nothing more is read, but the end must be seen, or the socket would wait for its reader for ever.
    sink.resume();
    this.#farewell = this.desk.clock.after(FAREWELL_MS, () => sink.destroy());
  }
}

/** Ends that are not worth a goodbye: nobody reads it. */
const CUT: ReadonlySet<CloseReason> = new Set([
  CloseReason.connection_reset,
  CloseReason.timed_out,
  CloseReason.write_error,
  CloseReason.slow_consumer,
]);

function onError(this: OwnedSink, error: Error): void {
  const reason = reasonOfSocketError(error);
  this[CONNECTION]?.close(reason, `${CLOSE_REASONS[reason].meaning} (${codeOf(error) ?? error.name})`);
}

/** The server's sockets are half-open by default: a client that has said its last is let go. */
function onEnd(this: OwnedSink): void {
  this[CONNECTION]?.close(CloseReason.client_closed);
}

function onClose(this: OwnedSink): void {
  this[CONNECTION]?.socketClosed();
  // Not deleted: the system would make a dictionary of the socket.
  this[CONNECTION] = undefined;
}

function onDrain(this: OwnedSink): void {
  this[CONNECTION]?.drained();
}
