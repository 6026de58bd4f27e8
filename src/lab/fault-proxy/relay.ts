import type { Socket } from "node:net";
import type { Clock, Timer } from "#base/clock.ts";
import { resetSocket } from "../reset-socket.ts";
import { Flow, type FlowAct } from "./flow.ts";
import { Pacer } from "./pacer.ts";
import {
  type ConnectionScript,
  type Direction,
  type Fault,
  isPaceFault,
  type MarkedFault,
} from "./script.ts";

export interface RelayOwner {
  passed(direction: Direction, bytes: number): void;
  /** A fault has been done to the connection. */
  faulted(kind: Fault["do"]): void;
  /** Both sockets are closed. Said once. */
  closed(relay: Relay): void;
}

/** How long what was forwarded before a reset may take to leave, in milliseconds. */
const FLUSH_MS_MAX = 1000;

const NOTHING = Buffer.alloc(0);

/** One connection through the proxy: two sockets, which it owns, and what its script does between them. */
export class Relay {
  readonly #client: Socket;
  readonly #target: Socket;
  readonly #owner: RelayOwner;
  readonly #clock: Clock;
  readonly #lanes: Readonly<Record<Direction, Lane>>;
  #open = 2;
  #resetting: Timer | null = null;

  /** Both sockets must allow half-open; `target` may still be connecting. */
  constructor(
    client: Socket,
    target: Socket,
    script: ConnectionScript,
    owner: RelayOwner,
    clock: Clock,
    bufferBytesMax: number,
  ) {
    this.#client = client;
    this.#target = target;
    this.#owner = owner;
    this.#clock = clock;
    const lane = (direction: Direction, source: Socket, sink: Socket) =>
      new Lane(
        script.filter((fault) => directionOf(fault) === direction),
        source,
        clock,
        bufferBytesMax,
        (act) => this.#perform(act, direction, source, sink),
      );
    this.#lanes = { up: lane("up", client, target), down: lane("down", target, client) };
    for (const socket of [client, target]) {
      socket.setNoDelay(true);
      socket.on("error", () => {});
      const source = socket === client ? target : client;
      socket.on("drain", () => source.resume());
      socket.on("close", (hadError) => this.#closed(socket, hadError));
    }
    client.on("end", () => this.#clientLeft());
    for (const fault of script) {
      if (isPaceFault(fault)) owner.faulted(fault.do);
    }
    for (const direction of ["up", "down"] as const) this.#lanes[direction].push(NOTHING);
  }

  /** Adds a fault to the connection as it stands; its mark counts from here. */
  inject(fault: MarkedFault): void {
    const lane = this.#lanes[directionOf(fault)];
    lane.flow.add(fault);
    lane.push(NOTHING);
  }

  /** The end, now. Idempotent. */
  destroy(): void {
    this.#resetting?.cancel();
    for (const lane of Object.values(this.#lanes)) lane.close();
    this.#client.destroy();
    this.#target.destroy();
  }

  #perform(act: FlowAct, direction: Direction, source: Socket, sink: Socket): void {
    switch (act.do) {
      case "forward":
        this.#owner.passed(direction, act.bytes.length);
        if (sink.destroyed || sink.writableEnded) return;
        if (!sink.write(act.bytes)) source.pause();
        return;
      case "end":
        sink.end();
        return;
      case "reset":
        this.#reset();
        break;
      case "truncate":
        sink.end(() => this.destroy());
        break;
      case "close_half":
        sink.end();
        break;
      case "silence":
        // Who has left already will not leave again.
        if (this.#client.readableEnded) this.destroy();
        break;
    }
    this.#owner.faulted(act.do);
  }

  /** Lets what was forwarded leave first: a reset throws away what the system has not sent. */
  #reset(): void {
    const reset = () => {
      resetSocket(this.#client);
      resetSocket(this.#target);
      this.destroy();
    };
    const waiting = [this.#client, this.#target].filter(
      (socket) => !socket.connecting && !socket.destroyed && socket.writableLength > 0,
    );
    if (waiting.length === 0) {
      reset();
      return;
    }
    this.#resetting = this.#clock.after(FLUSH_MS_MAX, reset);
    let left = waiting.length;
    for (const socket of waiting) {
      socket.write(NOTHING, () => {
        left--;
        if (left === 0) reset();
      });
    }
  }

  /** A client that has left frees its target, even where silence keeps it from being told. */
  #clientLeft(): void {
    if (Object.values(this.#lanes).some((lane) => lane.isSilent)) this.destroy();
  }

  #closed(socket: Socket, hadError: boolean): void {
    this.#open--;
    if (this.#open === 0) {
      this.destroy();
      this.#owner.closed(this);
      return;
    }
    const [lane, other] =
      socket === this.#client ? [this.#lanes.up, this.#target] : [this.#lanes.down, this.#client];
    if (lane.isSilent && other === this.#client) return;
    if (hadError) resetSocket(other);
    else if (lane.isSilent || !lane.sourceEnded) other.destroy();
  }
}

/** One direction: reads its source, plays its faults, keeps its pace. */
class Lane {
  readonly flow: Flow;
  sourceEnded = false;
  readonly #pacer: Pacer | null;
  readonly #source: Socket;
  readonly #clock: Clock;
  readonly #bufferBytesMax: number;
  readonly #perform: (act: FlowAct) => void;
  #silent = false;
  #timer: Timer | null = null;
  #closed = false;

  constructor(
    faults: readonly Fault[],
    source: Socket,
    clock: Clock,
    bufferBytesMax: number,
    perform: (act: FlowAct) => void,
  ) {
    const paces = faults.filter(isPaceFault);
    this.flow = new Flow(faults.filter((fault) => !isPaceFault(fault)));
    this.#pacer = paces.length === 0 ? null : new Pacer(paces);
    this.#source = source;
    this.#clock = clock;
    this.#bufferBytesMax = bufferBytesMax;
    this.#perform = perform;
    source.on("data", (chunk: Buffer) => this.push(chunk));
    source.on("end", () => this.#end());
  }

  get isSilent(): boolean {
    return this.#silent;
  }

  push(chunk: Uint8Array): void {
    for (const act of this.flow.push(chunk)) this.#act(act);
    if (this.#pacer !== null && this.#pacer.bytes > this.#bufferBytesMax) this.#source.pause();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#timer = null;
  }

  #end(): void {
    this.sourceEnded = true;
    if (!this.flow.ended) this.#act({ do: "end" });
  }

  #act(act: FlowAct): void {
    if (act.do === "silence") this.#silent = true;
    if (this.#pacer === null) {
      this.#perform(act);
      return;
    }
    this.#pacer.put(act, this.#clock.monotonicMs());
    if (this.#timer === null) this.#pump(this.#pacer);
  }

  #pump(pacer: Pacer): void {
    this.#timer = null;
    if (this.#closed) return;
    for (const act of pacer.take(this.#clock.monotonicMs())) this.#perform(act);
    if (pacer.bytes <= this.#bufferBytesMax && this.#source.isPaused()) this.#source.resume();
    const dueMs = pacer.nextDueMs;
    if (dueMs === null || this.#closed) return;
    const waitMs = Math.max(0, dueMs - this.#clock.monotonicMs());
    this.#timer = this.#clock.after(waitMs, () => this.#pump(pacer));
  }
}

function directionOf(fault: Fault): Direction {
  return fault.direction ?? "down";
}
