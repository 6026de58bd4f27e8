import { Wire, type WireOwner } from "./raw-wire.ts";

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
  /** @param text what the note stands in, @param start from where on */
  noted(client: RawClient, text: string, start: number): void;
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
export abstract class RawClient implements WireOwner {
  readonly token: string;
  abstract readonly transport: "sse" | "websocket";
  protected readonly door: Door;
  protected readonly observer: ClientObserver;
  #wire: Wire | null = null;
  #isUp = false;

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
    return this.#wire !== null;
  }

  /** Connects, and resumes where it was. Nothing while it is there. */
  come(): void {
    if (this.#wire !== null) return;
    this.begin();
    this.#wire = new Wire(this.door.host, this.door.port, this);
  }

  /** Goes. What still comes by a half-closed socket is taken; the observer is told when the gateway has ended it. */
  halfClose(): void {
    this.#isUp = false;
    this.#wire?.halfClose();
  }

  /** Goes at once. Of a silent one the wire is handed over, which the caller ends. */
  cut(how: Exclude<Cut, "half_closed">): Wire | null {
    const wire = this.#wire;
    if (wire === null) return null;
    this.#gone();
    if (how === Cut.destroyed) wire.close();
    else if (how === Cut.reset) wire.reset();
    else {
      wire.fallSilent();
      return wire;
    }
    return null;
  }

  /** Stops reading and stays. */
  stopReading(): void {
    this.#wire?.fallSilent();
  }

  /** @internal */
  connected(): void {
    this.write(this.hello());
  }

  /** @internal */
  ended(fault: string): void {
    this.#gone();
    this.observer.ended(this, `${this.transport}: ${this.rest()} ${fault}`.trim());
  }

  /** @internal What came, good within the call only. */
  abstract take(bytes: Buffer): void;

  /** Forgets what an earlier connection has left. */
  protected abstract begin(): void;
  /** What the client says first. */
  protected abstract hello(): string;
  /** What was not understood, for the report. */
  protected abstract rest(): string;

  /** @param latin1 one character a byte */
  protected write(latin1: string): void {
    this.#wire?.write(latin1);
  }

  protected began(beginning: Beginning, next: number | null): void {
    this.#isUp = true;
    this.observer.began(this, beginning, next);
  }

  #gone(): void {
    this.#wire = null;
    this.#isUp = false;
  }
}
