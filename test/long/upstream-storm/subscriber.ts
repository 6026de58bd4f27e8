import type { Clock, Timer } from "#base/clock.ts";
import type { Random } from "#base/random.ts";
import { Ledger } from "./ledger.ts";

/** Where subscribers come in. */
export interface Door {
  readonly host: string;
  readonly port: number;
  readonly token: string;
  readonly clock: Clock;
  readonly random: Random;
}

/** When a connection that was cut comes back, in milliseconds. */
const BACK_MS = { min: 20, max: 200 } as const;

/**
 * One connection with one topic. It comes back with its cursor whenever it is cut, and can leave and come back by
 * itself.
 */
export abstract class Subscriber {
  readonly key: string;
  readonly ledger = new Ledger();
  /** Connections that the other side ended. */
  cuts = 0;
  /** Times that it came with a cursor. */
  returns = 0;
  /** The last thing that went wrong, for the report. */
  trouble = "";
  protected readonly door: Door;
  #isUp = false;
  #isWanted = false;
  #comingBack: Timer | null = null;

  constructor(key: string, door: Door) {
    this.key = key;
    this.door = door;
  }

  /** Whether it is subscribed. */
  get isUp(): boolean {
    return this.#isUp;
  }

  get isWanted(): boolean {
    return this.#isWanted;
  }

  abstract readonly transport: "sse" | "websocket";

  /** Connects, and resumes where it was. Nothing while it is there. */
  come(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.connect();
  }

  /** Goes away without a word. Its cursor stays. */
  leave(): void {
    this.#isWanted = false;
    this.#isUp = false;
    this.#comingBack?.cancel();
    this.#comingBack = null;
    this.disconnect();
  }

  /** Comes next time as one who was never there. */
  forget(): void {
    this.ledger.restart();
    this.forgetCursor();
  }

  protected abstract connect(): void;
  protected abstract disconnect(): void;
  protected abstract forgetCursor(): void;

  protected subscribed(): void {
    this.#isUp = true;
  }

  /** The connection is over, and not by our wish. */
  protected cut(trouble: string): void {
    this.cuts++;
    this.trouble = trouble;
    this.#isUp = false;
    const { clock, random } = this.door;
    this.#comingBack?.cancel();
    this.#comingBack = clock.after(BACK_MS.min + random() * (BACK_MS.max - BACK_MS.min), () => {
      this.#comingBack = null;
      if (this.#isWanted) this.connect();
    });
  }
}
