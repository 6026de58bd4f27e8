import { connect, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { codeOf, messageOf } from "#base/errors.ts";
import type { LoadTarget } from "./target.ts";
import { tlsOptions } from "./tls-options.ts";

/** What clients share: where they go, who they are, and who is told. */
export interface ClientContext {
  readonly target: LoadTarget;
  readonly token: string | null;
  /** What sockets read into. Shared, since nothing of it is kept when the callback returns. */
  readonly buffer: Buffer;
  readonly sink: ClientSink;
  /** The machine's monotonic clock, in microseconds, the same in every process. */
  nowUs(): number;
}

/** Who hears of what happens. `client` is the client that it happens to. */
export interface ClientSink {
  /** The transport, TLS included, is there. */
  connected(client: Client): void;
  /** Signed in and subscribed to everything; events may have come before. */
  ready(client: Client): void;
  /** An event's stamp stands in `bytes` at `mark`. */
  delivered(client: Client, bytes: Buffer, mark: number): void;
  /** The server said that events of a topic (null: of any) are missing. */
  gapTold(client: Client, topic: string | null): void;
  /** Once, whoever ended it, unless `end` did. */
  ended(client: Client, why: string): void;
}

export interface ClientOptions {
  /** The subscriber's number. */
  readonly index: number;
  readonly topics: readonly string[];
  /** Source address; undefined: the system's choice. */
  readonly localAddress: string | undefined;
  /** Where to go on from, as an earlier client's `position` said; null: at what is new. */
  readonly from: Position | null;
  /** Whether `position` will be asked for; keeping it costs some of each delivery. */
  readonly keepsPosition: boolean;
  /** Bytes read a second; null: as fast as they come. */
  readonly bytesPerSecond: number | null;
}

/** Where a subscriber stands: SSE's last event id; WebSocket's epoch and offset of each topic. */
export type Position =
  | { readonly transport: "sse"; readonly lastEventId: string }
  | { readonly transport: "websocket"; readonly topics: ReadonlyMap<string, TopicPosition> };

export interface TopicPosition {
  readonly epoch: string;
  readonly offset: number;
}

/** Most bytes of an event or frame that may wait for its rest. */
const PENDING_BYTES_MAX = 16 * 2 ** 20;
/** How often a slow reader reads, in milliseconds. */
const SLOW_TURN_MS = 200;

/**
 * One subscriber's connection: a bare socket that reads into a shared buffer, so that a delivery costs no stream, no string
 * and no object. The protocols derive from it.
 */
export abstract class Client {
  readonly options: ClientOptions;
  startedUs = 0;
  connectedUs = 0;
  isReady = false;
  protected readonly context: ClientContext;
  #socket: Socket | null = null;
  #pending: Buffer | null = null;
  #timer: NodeJS.Timeout | null = null;
  #ended = false;

  constructor(context: ClientContext, options: ClientOptions) {
    this.context = context;
    this.options = options;
  }

  /** Connects; the sink is told how it goes. Once. */
  open(): void {
    this.startedUs = this.context.nowUs();
    this.#socket = this.#connect();
  }

  /** Where it stands now; null: it can't tell. */
  abstract get position(): Position | null;

  /** Ends it from this side; the sink is not told. Idempotent. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer ?? undefined);
    this.#socket?.destroy();
  }

  /** The connection stands: say hello. */
  protected abstract greet(): void;

  /** Reads `bytes` up to `end`; answers how far it got. What is behind comes again, with more. */
  protected abstract take(bytes: Buffer, end: number): number;

  protected send(bytes: Buffer | string): void {
    this.#socket?.write(bytes);
  }

  protected becomeReady(): void {
    this.isReady = true;
    this.context.sink.ready(this);
    if (this.options.bytesPerSecond === null) return;
    this.#socket?.pause();
    this.#readSlowly();
  }

  protected fail(why: string): void {
    if (this.#ended) return;
    this.end();
    this.context.sink.ended(this, why);
  }

  #connect(): Socket {
    const { target, buffer } = this.context;
    const { localAddress, bytesPerSecond } = this.options;
    const into =
      bytesPerSecond === null
        ? buffer
        : Buffer.allocUnsafeSlow(Math.max(64, Math.ceil((bytesPerSecond * SLOW_TURN_MS) / 1000)));
    const options = {
      host: target.host,
      port: target.port,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
      onread: {
        buffer: into,
        callback: (count: number, bytes: Uint8Array) => this.#read(bytes as Buffer, count),
      },
    };
    const opened = (): void => {
      this.connectedUs = this.context.nowUs();
      this.context.sink.connected(this);
      if (!this.#ended) this.greet();
    };
    const socket = target.secure
      ? // Its types leave out what it hands on to `net.connect`.
        connectTls({ ...options, ...tlsOptions(target) } as object, opened)
      : connect(options, opened);
    socket.on("error", (error) => this.fail(codeOf(error) ?? messageOf(error)));
    socket.on("end", () => this.fail("closed by the server"));
    socket.on("close", () => this.fail("closed by the server"));
    return socket;
  }

  /** Answers whether to go on reading. */
  #read(bytes: Buffer, count: number): boolean {
    if (this.#ended) return false;
    const waiting = this.#pending;
    if (waiting === null) this.#keepFrom(bytes, this.take(bytes, count), count);
    else {
      const joined = Buffer.concat([waiting, bytes.subarray(0, count)]);
      this.#pending = null;
      this.#keepFrom(joined, this.take(joined, joined.length), joined.length);
    }
    if (this.options.bytesPerSecond === null || !this.isReady || this.#ended) return true;
    this.#readSlowly();
    return false;
  }

  #keepFrom(bytes: Buffer, from: number, end: number): void {
    if (from >= end || this.#ended) return;
    if (end - from > PENDING_BYTES_MAX) this.fail("an event or frame is too long");
    else this.#pending = Buffer.from(bytes.subarray(from, end));
  }

  #readSlowly(): void {
    clearTimeout(this.#timer ?? undefined);
    this.#timer = setTimeout(() => this.#socket?.resume(), SLOW_TURN_MS);
  }
}
