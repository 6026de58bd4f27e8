import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { Attempt, type AttemptOwner } from "./attempt.ts";
import type { PendingClaim } from "./claim.ts";
import type { ExchangeEnd } from "./exchange.ts";
import { Http1Carrier } from "./http1-carrier.ts";
import { type Http2Session, type SessionOwner, STREAMS_MAX } from "./http2-session.ts";

export interface OriginContext {
  connect(): Socket;
  openSession(socket: TLSSocket, owner: SessionOwner): Http2Session;
  /** It has no connection any more, and nobody waits. */
  unused(): void;
}

/**
 * The connections to one origin. Claims wait together for a session that is being opened; what finds no room on it
 * opens the next. Where the origin turns out to speak HTTP/1.1, each has a socket of its own.
 */
export class Origin implements AttemptOwner {
  readonly #context: OriginContext;
  readonly #attempts = new Set<Attempt>();
  readonly #sessions = new Set<Http2Session>();
  #sockets = 0;
  /** What the last connection spoke. */
  #isShared: boolean;
  /** Streams that the next session will probably carry: as many as the last one did. */
  #streamsExpected = STREAMS_MAX;

  /** @param offersHttp2 whether an HTTP/2 session may come of a connection */
  constructor(offersHttp2: boolean, context: OriginContext) {
    this.#isShared = offersHttp2;
    this.#context = context;
  }

  place(claim: PendingClaim): void {
    for (const session of this.#sessions) {
      if (session.room === 0) continue;
      claim.grant(session);
      return;
    }
    if (this.#isShared) {
      for (const attempt of this.#attempts) {
        if (attempt.claims.length >= this.#streamsExpected) continue;
        attempt.join(claim);
        return;
      }
    }
    this.#attempts.add(new Attempt(this.#context.connect(), claim, this));
  }

  openSession(socket: TLSSocket, owner: SessionOwner): Http2Session {
    return this.#context.openSession(socket, owner);
  }

  connected(attempt: Attempt, socket: Socket): void {
    this.#attempts.delete(attempt);
    this.#isShared = false;
    this.#sockets++;
    socket.once("close", () => {
      this.#sockets--;
      this.#tellIfUnused();
    });
    attempt.claims.shift()?.grant(new Http1Carrier(socket));
    this.#placeRest(attempt);
  }

  sessionReady(attempt: Attempt, session: Http2Session): void {
    this.#attempts.delete(attempt);
    this.#isShared = true;
    this.#sessions.add(session);
    const { room } = session;
    if (room === 0) {
      const message = "the feed allows no HTTP/2 stream";
      session.destroy({ reason: "stream_refused", message, again: "no" });
      this.#refuse(attempt, { reason: "stream_refused", message, again: "no" });
      return;
    }
    this.#streamsExpected = room;
    while (session.room > 0) {
      const claim = attempt.claims.shift();
      if (claim === undefined) break;
      claim.grant(session);
    }
    this.#placeRest(attempt);
  }

  failed(attempt: Attempt, end: ExchangeEnd): void {
    this.#attempts.delete(attempt);
    this.#refuse(attempt, end);
  }

  abandoned(attempt: Attempt): void {
    this.#attempts.delete(attempt);
    this.#placeRest(attempt);
    this.#tellIfUnused();
  }

  sessionOver(session: Http2Session): void {
    if (this.#sessions.delete(session)) this.#tellIfUnused();
  }

  #placeRest({ claims }: Attempt): void {
    // One by one, since each may make others leave.
    for (let claim = claims.shift(); claim !== undefined; claim = claims.shift()) this.place(claim);
  }

  #refuse({ claims }: Attempt, end: ExchangeEnd): void {
    for (let claim = claims.shift(); claim !== undefined; claim = claims.shift()) claim.refuse(end);
    this.#tellIfUnused();
  }

  #tellIfUnused(): void {
    if (this.#attempts.size + this.#sessions.size + this.#sockets === 0) this.#context.unused();
  }
}
