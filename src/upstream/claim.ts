import type { Carrier, ExchangeEnd } from "./exchange.ts";
import type { DialPhase } from "./link-reason.ts";

/** A dial that wants a connection. It is told one of the two, once, unless it has left before. */
export interface Claimant {
  granted(carrier: Carrier): void;
  refused(end: ExchangeEnd): void;
}

export interface Claim {
  /** How far its connection has come. */
  readonly phase: DialPhase;
  /** The connection is not wanted any more. Idempotent; nothing happens when it was granted. */
  leave(): void;
}

/** Where a claim waits. */
export interface WaitingRoom {
  readonly phase: DialPhase;
  leave(claim: PendingClaim): void;
}

export class PendingClaim implements Claim {
  /** Null: in none, or not any more. */
  room: WaitingRoom | null = null;
  readonly #claimant: Claimant;
  readonly #firstPhase: DialPhase;

  constructor(claimant: Claimant, firstPhase: DialPhase) {
    this.#claimant = claimant;
    this.#firstPhase = firstPhase;
  }

  get phase(): DialPhase {
    return this.room?.phase ?? this.#firstPhase;
  }

  leave(): void {
    const { room } = this;
    this.room = null;
    room?.leave(this);
  }

  grant(carrier: Carrier): void {
    this.room = null;
    this.#claimant.granted(carrier);
  }

  refuse(end: ExchangeEnd): void {
    this.room = null;
    this.#claimant.refused(end);
  }
}
