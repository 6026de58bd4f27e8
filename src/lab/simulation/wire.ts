import type { Chance } from "./chance.ts";
import { Pipe } from "./pipe.ts";
import { SimulatedSocket } from "./simulated-socket.ts";
import type { World } from "./world.ts";

/** Bytes that may be under way to a client, or lie with it unread, before the gateway's socket takes no more. */
export const WINDOW_BYTES = 32 * 1024;
/** How long a system tries to reach a peer that does not answer, in milliseconds. */
const GIVE_UP_MS = { min: 60_000, max: 900_000 } as const;

/** What a client hears of its connection. */
export interface WireClient {
  received(bytes: Buffer): void;
  /** The gateway has said its last. */
  ended(): void;
  /** The connection was reset. */
  reset(): void;
}

type ToClient = Buffer | "end" | "reset";
type ToGateway = Buffer | "end" | "reset" | "timeout";

/** One client's connection to the gateway: latency, windows, resets, silences, and a client that is gone. */
export class Wire {
  readonly socket: SimulatedSocket;
  readonly #world: World;
  readonly #chance: Chance;
  readonly #client: WireClient;
  readonly #toClient: Pipe<ToClient>;
  readonly #toGateway: Pipe<ToGateway>;
  #outstandingBytes = 0;
  #roomFor: (() => void) | null = null;
  #isReading = true;
  #unread: ToClient[] = [];
  #isGone = false;
  #isGivenUp = false;
  /** The gateway found no room for its bytes. */
  wasFull = false;
  /** When the network was last not as it should be. */
  troubledAtMs = Number.NEGATIVE_INFINITY;

  constructor(world: World, chance: Chance, address: string, client: WireClient) {
    this.#world = world;
    this.#chance = chance;
    this.#client = client;
    const base = chance.between(1, 120);
    const latency = () => base * (1 + chance.random() / 4);
    this.#toClient = new Pipe(world, latency, (item) => this.#arrive(item));
    this.#toGateway = new Pipe(world, latency, (item) => this.#enter(item));
    this.socket = new SimulatedSocket(
      {
        written: (bytes, done) => this.#written(bytes, done),
        ended: () => this.#toClient.send("end"),
        destroyed: () => this.#toClient.send("reset"),
      },
      address,
    );
    // As the listener does, so that no error is without its handler.
    this.socket.on("error", () => {});
  }

  // What the client does.

  send(bytes: Buffer): void {
    this.#toGateway.send(bytes);
  }

  /** Says its last. */
  end(): void {
    this.#toGateway.send("end");
  }

  /** Cuts it: both ends forget what is under way. */
  reset(): void {
    this.#isGone = true;
    this.#toClient.cut();
    this.#toGateway.send("reset");
  }

  /** Is gone without a word: the gateway finds out by itself. */
  vanish(): void {
    this.#isGone = true;
    this.#toClient.cut();
    this.#toGateway.cut();
    if (this.#outstandingBytes > 0) this.#giveUpLater();
  }

  /** Reads no more, or again. */
  reads(isReading: boolean): void {
    this.#isReading = isReading;
    if (!isReading) this.troubledAtMs = Number.POSITIVE_INFINITY;
    else if (this.troubledAtMs === Number.POSITIVE_INFINITY) this.troubledAtMs = this.#world.nowMs;
    const unread = this.#unread;
    this.#unread = [];
    for (const item of isReading ? unread : []) this.#read(item);
    if (!isReading) this.#unread = unread;
  }

  // What the network does.

  silence(untilMs: number): void {
    this.#toClient.silence(untilMs);
    this.#toGateway.silence(untilMs);
    this.troubledAtMs = Math.max(this.troubledAtMs, untilMs);
  }

  /** Resets it at both ends. */
  cut(): void {
    this.#toClient.cut();
    this.#toGateway.cut();
    const wasGone = this.#isGone;
    this.#isGone = true;
    this.#destroySocket("ECONNRESET");
    if (!wasGone) this.#client.reset();
  }

  /** The gateway's process is gone: its socket says nothing any more, and the client hears of a reset. */
  die(): void {
    this.#toGateway.cut();
    this.#toClient.cut();
    if (!this.#isGone)
      this.#world.time.in(this.#chance.between(1, 200), () => this.#isGone || this.#client.reset());
  }

  #written(bytes: Buffer, done: () => void): void {
    this.#outstandingBytes += bytes.length;
    if (this.#isGone) this.#giveUpLater();
    else this.#toClient.send(bytes);
    if (this.#outstandingBytes <= WINDOW_BYTES) {
      done();
      return;
    }
    this.wasFull = true;
    this.#roomFor = done;
  }

  #arrive(item: ToClient): void {
    if (this.#isReading) this.#read(item);
    else this.#unread.push(item);
  }

  #read(item: ToClient): void {
    if (typeof item === "string") {
      if (this.#isGone) return;
      if (item === "end") {
        this.#client.ended();
      } else {
        this.#isGone = true;
        this.#client.reset();
      }
      return;
    }
    this.#outstandingBytes -= item.length;
    const done = this.#roomFor;
    if (done !== null && this.#outstandingBytes <= WINDOW_BYTES) {
      this.#roomFor = null;
      this.#world.time.disturb();
      done();
    }
    if (!this.#isGone) this.#client.received(item);
  }

  #enter(item: ToGateway): void {
    const { socket } = this;
    this.#world.time.disturb();
    if (socket.destroyed) return;
    if (item === "end") socket.push(null);
    else if (item === "reset") this.#destroySocket("ECONNRESET");
    else if (item !== "timeout") socket.push(item);
  }

  #giveUpLater(): void {
    if (this.#isGivenUp) return;
    this.#isGivenUp = true;
    this.#world.time.in(this.#chance.between(GIVE_UP_MS.min, GIVE_UP_MS.max), () =>
      this.#destroySocket("ETIMEDOUT"),
    );
  }

  #destroySocket(code: "ECONNRESET" | "ETIMEDOUT"): void {
    this.#world.time.disturb();
    this.socket.destroy(Object.assign(new Error(`simulated ${code}`), { code }));
  }
}
