import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { messageOf } from "#base/errors.ts";
import type { PendingClaim, WaitingRoom } from "./claim.ts";
import type { ExchangeEnd } from "./exchange.ts";
import type { Http2Session, SessionOwner } from "./http2-session.ts";
import { type DialPhase, errorReason } from "./link-reason.ts";

export interface AttemptOwner {
  openSession(socket: TLSSocket, owner: SessionOwner): Http2Session;
  /** Connected, and the peer chose HTTP/1.1: the socket is the owner's now. */
  connected(attempt: Attempt, socket: Socket): void;
  /** Connected, and the session may carry streams: it is the owner's now. */
  sessionReady(attempt: Attempt, session: Http2Session): void;
  failed(attempt: Attempt, end: ExchangeEnd): void;
  /** Whoever began it has left; it is undone. */
  abandoned(attempt: Attempt): void;
  sessionOver(session: Http2Session): void;
}

/**
 * One socket on its way to a connection, and the claims that wait for it. It is the first one's, and ends when that
 * one leaves: so a time-out ends it, however many have joined since.
 */
export class Attempt implements WaitingRoom {
  /** Those that wait, the one that began it first. */
  readonly claims: PendingClaim[];
  readonly #owner: AttemptOwner;
  readonly #socket: Socket;
  #phase: DialPhase;
  #session: Http2Session | null = null;
  #over = false;

  constructor(socket: Socket, first: PendingClaim, owner: AttemptOwner) {
    this.#socket = socket;
    this.#owner = owner;
    this.#phase = first.phase;
    this.claims = [first];
    first.room = this;
    const secure = socket instanceof TLSSocket;
    socket.once("lookup", () => this.#advance("connect"));
    socket.once("connect", () => this.#advance(secure ? "tls" : "headers"));
    socket.once(secure ? "secureConnect" : "connect", () => this.#connected());
    socket.once("error", (error) => this.#broken(error));
    // A socket that is destroyed before it is connected says nothing but this.
    socket.once("close", () =>
      this.#broken(Object.assign(new Error("closed while connecting"), { code: "ECONNRESET" })),
    );
  }

  get phase(): DialPhase {
    return this.#phase;
  }

  join(claim: PendingClaim): void {
    claim.room = this;
    this.claims.push(claim);
  }

  leave(claim: PendingClaim): void {
    const isFirst = this.claims[0] === claim;
    this.claims.splice(this.claims.indexOf(claim), 1);
    if (!isFirst || this.#over) return;
    this.#over = true;
    this.#session?.destroy({ reason: "unwanted", message: "", again: "no" });
    this.#socket.destroy();
    this.#owner.abandoned(this);
  }

  #advance(phase: DialPhase): void {
    this.#phase = phase;
  }

  #connected(): void {
    if (this.#over) return;
    this.#phase = "headers";
    const socket = this.#socket;
    if (!(socket instanceof TLSSocket) || socket.alpnProtocol !== "h2") {
      this.#over = true;
      this.#owner.connected(this, socket);
      return;
    }
    this.#session = this.#owner.openSession(socket, {
      ready: (session) => {
        if (this.#over) return;
        this.#over = true;
        this.#owner.sessionReady(this, session);
      },
      over: (session, end) => {
        this.#owner.sessionOver(session);
        this.#fail(end);
      },
    });
  }

  /** A session, once there is one, says better what has happened. */
  #broken(error: Error): void {
    if (this.#session !== null) return;
    this.#fail({ reason: errorReason(error, this.#phase), message: messageOf(error), again: "no" });
  }

  #fail(end: ExchangeEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner.failed(this, end);
  }
}
