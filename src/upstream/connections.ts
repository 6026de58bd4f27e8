import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Clock } from "#base/clock.ts";
import { type Claim, type Claimant, PendingClaim } from "./claim.ts";
import type { SessionPace } from "./http2-health.ts";
import { Http2Session, type SessionOwner } from "./http2-session.ts";
import type { DialPhase } from "./link-reason.ts";
import { Origin } from "./origin.ts";
import type { TlsContexts } from "./tls-contexts.ts";

/** Quiet connections are probed after so long, so that a vanished peer is noticed by the system as well. */
const KEEP_ALIVE_DELAY_MS = 30_000;

export interface ClaimOptions {
  /** Whether the client certificate may be shown. */
  readonly certified: boolean;
  /** Whether HTTP/2 may be offered. */
  readonly http2: boolean;
}

/** Where dials get their connections from: `Connections`, or a simulated network. */
export interface ConnectionSource {
  /** Sockets that are not closed yet, connecting ones included. */
  readonly sockets: number;
  /** HTTP/2 sessions that are not over yet. */
  readonly sessions: number;
  /** Asks for a connection to a URL's origin. It may be granted before this returns. */
  claim(url: URL, options: ClaimOptions, claimant: Claimant): Claim;
  /** Ends what is shared, and resolves when the last socket is closed. Whoever claimed ends what it was granted. */
  close(): Promise<void>;
}

/**
 * All connections of a feed, and the one owner of its sockets. Over plain HTTP, or where the origin speaks HTTP/1.1,
 * each claim gets a socket of its own; where the origin agrees on HTTP/2, claims share its sessions.
 */
export class Connections implements ConnectionSource {
  readonly #clock: Clock;
  readonly #tls: TlsContexts;
  readonly #pace: SessionPace;
  readonly #sockets = new Set<Socket>();
  readonly #sessions = new Set<Http2Session>();
  readonly #origins = new Map<string, Origin>();
  readonly #waiting: (() => void)[] = [];

  constructor(clock: Clock, tls: TlsContexts, pace: SessionPace) {
    this.#clock = clock;
    this.#tls = tls;
    this.#pace = pace;
  }

  /** Sockets that are not closed yet, connecting ones included. */
  get sockets(): number {
    return this.#sockets.size;
  }

  /** HTTP/2 sessions that are not over yet. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Asks for a connection to a URL's origin. A session with room is granted before this returns. */
  claim(url: URL, { certified, http2 }: ClaimOptions, claimant: Claimant): Claim {
    const claim = new PendingClaim(claimant, firstPhase(url));
    const offersHttp2 = http2 && url.protocol === "https:";
    // Sessions that know the client certificate are not for requests that a redirect led here, nor the other way round.
    const key = `${url.origin} ${certified} ${offersHttp2}`;
    let origin = this.#origins.get(key);
    if (origin === undefined) {
      origin = new Origin(offersHttp2, {
        connect: () => this.#connect(url, certified, offersHttp2),
        openSession: (socket, owner) => this.#openSession(socket, url.origin, owner),
        unused: () => this.#origins.delete(key),
      });
      this.#origins.set(key, origin);
    }
    origin.place(claim);
    return claim;
  }

  /** Ends the sessions, and resolves when the last socket is closed. Whoever claimed ends what it was granted. */
  close(): Promise<void> {
    for (const session of [...this.#sessions]) {
      session.destroy({ reason: "closed", message: "", again: "no" });
    }
    return new Promise((resolve) => {
      if (this.#sockets.size === 0) resolve();
      else this.#waiting.push(resolve);
    });
  }

  #connect(url: URL, certified: boolean, offersHttp2: boolean): Socket {
    const secure = url.protocol === "https:";
    const host = hostOf(url);
    const options = {
      host,
      port: url.port === "" ? (secure ? 443 : 80) : Number(url.port),
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
      noDelay: true,
    };
    const context = this.#tls.of(certified);
    const socket = secure
      ? connectTls({
          ...options,
          servername: isIP(host) === 0 ? host : "",
          ALPNProtocols: offersHttp2 ? ["h2", "http/1.1"] : ["http/1.1"],
          ...(context === null ? {} : { secureContext: context }),
        })
      : connectTcp(options);
    this.#sockets.add(socket);
    // From birth: an error between the phases, when nobody else listens, must not end the process.
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) for (const resolve of this.#waiting.splice(0)) resolve();
    });
    return socket;
  }

  #openSession(socket: TLSSocket, origin: string, owner: SessionOwner): Http2Session {
    const session = new Http2Session(socket, origin, this.#clock, this.#pace, {
      ready: (which) => owner.ready(which),
      over: (which, end) => {
        this.#sessions.delete(which);
        owner.over(which, end);
      },
    });
    this.#sessions.add(session);
    return session;
  }
}

/** Without the brackets of an IPv6 address. */
function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function firstPhase(url: URL): DialPhase {
  return isIP(hostOf(url)) === 0 ? "dns" : "connect";
}
