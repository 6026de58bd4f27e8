import { connect, type Socket } from "node:net";
import { resetSocket } from "#lab/reset-socket.ts";
import type { Note } from "./note.ts";

/** Where clients connect to, and what they subscribe to. */
export interface Door {
  readonly host: string;
  readonly port: number;
  readonly topic: string;
  /** Another topic of theirs, which they do not resume. */
  readonly besides?: string;
  /** Whether offsets follow the notes' numbers, since nothing is published to any other topic. */
  readonly isAlone: boolean;
}

/** How a stream begins: for one that never had a cursor; with all since its cursor to come; told that it can't have all. */
export type Beginning = "fresh" | "resumed" | "told";

/** Who is told what comes. */
export interface ClientObserver {
  /** It is subscribed. @param next told: the number from which on everything comes, where the server says so */
  began(client: RawClient, beginning: Beginning, next: number | null): void;
  noted(client: RawClient, note: Note): void;
  /** The other side ended it, or it could not get in. */
  ended(client: RawClient, why: string): void;
}

/** How a client goes. */
export const Cut = {
  /** Orderly, as when a page is closed. */
  destroyed: "destroyed",
  reset: "reset",
  /** It says its last, and reads on until the gateway ends it. */
  half_closed: "half_closed",
  /** It neither reads nor says anything any more, as when its network is gone. */
  silent: "silent",
} as const;
export type Cut = (typeof Cut)[keyof typeof Cut];

/** One client with one topic on a raw socket, as lean as it can be, so that thousands fit into a process. */
export abstract class RawClient {
  readonly token: string;
  abstract readonly transport: "sse" | "websocket";
  protected readonly door: Door;
  protected readonly observer: ClientObserver;
  #socket: Socket | null = null;
  #isUp = false;
  #fault = "";

  constructor(door: Door, token: string, observer: ClientObserver) {
    this.door = door;
    this.token = token;
    this.observer = observer;
  }

  /** Whether it is subscribed. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Whether it has a connection, ready or not. */
  get isThere(): boolean {
    return this.#socket !== null;
  }

  /** Connects, and resumes where it was. Nothing while it is there. */
  come(): void {
    if (this.#socket !== null) return;
    const socket = connect({ host: this.door.host, port: this.door.port, noDelay: true });
    this.#socket = socket;
    this.#fault = "";
    this.hello();
    socket.on("data", (bytes: Buffer) => {
      if (socket === this.#socket) this.take(bytes);
    });
    socket.on("error", (error) => {
      this.#fault = error.message;
    });
    socket.on("close", () => {
      if (socket !== this.#socket) return;
      this.#gone();
      this.observer.ended(this, `${this.transport}: ${this.rest()} ${this.#fault}`.trim());
    });
  }

  /** Goes. What still comes by a half-closed socket is taken; the observer is told when the gateway has ended it. */
  halfClose(): void {
    this.#isUp = false;
    this.#socket?.end();
  }

  /** Goes at once. Of a silent one the socket is handed over, which the caller ends. */
  cut(how: Exclude<Cut, "half_closed">): Socket | null {
    const socket = this.#socket;
    if (socket === null) return null;
    this.#gone();
    if (how === Cut.destroyed) socket.destroy();
    else if (how === Cut.reset) resetSocket(socket);
    else {
      socket.removeAllListeners("data");
      socket.pause();
      return socket;
    }
    return null;
  }

  /** Stops reading and stays. */
  stopReading(): void {
    this.#socket?.pause();
  }

  /** Writes what the client says first, which waits until it is connected. */
  protected abstract hello(): void;
  protected abstract take(bytes: Buffer): void;
  /** What was not understood, for the report. */
  protected abstract rest(): string;

  protected write(bytes: string | Buffer): void {
    this.#socket?.write(bytes);
  }

  protected began(beginning: Beginning, next: number | null): void {
    this.#isUp = true;
    this.observer.began(this, beginning, next);
  }

  #gone(): void {
    this.#socket = null;
    this.#isUp = false;
  }
}

/** What is left of earlier bytes, and what came. */
export function joined(rest: Buffer, bytes: Buffer): Buffer {
  return rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
}

export const NOTHING: Buffer = Buffer.alloc(0);
