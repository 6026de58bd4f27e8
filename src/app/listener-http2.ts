import type { IncomingMessage, ServerResponse } from "node:http";
import {
  constants,
  createServer,
  type Http2Server,
  Http2ServerRequest,
  Http2ServerResponse,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { TLSSocket } from "node:tls";
import type { Clock, Timer } from "#base/clock.ts";
import { codeOf } from "#base/errors.ts";
import { Http2Guard, Http2Misuse } from "./http2-guard.ts";

/** Streams that one session may have open at once. A browser shares one session among all tabs of an origin. */
export const STREAMS_MAX = 100;
/** How long a session is kept on which no stream is open, its first streams' coming included. */
export const SESSION_IDLE_MS = 30_000;

export interface Http2DoorOptions {
  readonly clock: Clock;
  /** Bytes of a request's fields, as HTTP/2 counts them: 32 beside the texts of each. */
  readonly headerBytesMax: number;
  /** To the end of a request's body, in milliseconds. */
  readonly requestTimeoutMs: number;
  /** Most sessions from the address of a socket's other end; infinite for a trusted proxy's. */
  readonly sessionsMax: (address: string) => number;
  /** How often a session's client is asked whether it is there, and has to answer until it is asked again, in milliseconds. */
  readonly pingEveryMs: () => number;
  /** Answers a request. What it gets looks like HTTP/1.1's, the field `Host` included. */
  readonly serve: (request: IncomingMessage, response: ServerResponse) => void;
  /** Counts what went wrong below requests, by code. */
  readonly count: (code: string) => void;
}

interface Visit {
  readonly address: string;
  readonly guard: Http2Guard;
  streams: number;
  idle: Timer | null;
  /** When its client is asked next. */
  pulse: Timer | null;
  /** It was asked, and has not answered yet. */
  isAsked: boolean;
}

/**
 * HTTP/2 on the listener's TLS sockets: sessions, their bounds and their ends. Requests go where those of HTTP/1.1 go.
 *
 *     TLS says `h2` ──accept──> session ──last stream ended──> idle ──SESSION_IDLE_MS, or a drain──> GOAWAY, closed
 *                                  ├──flood──> GOAWAY ENHANCE_YOUR_CALM, destroyed, its streams with it
 *                                  └──no answer to a PING──> destroyed, its streams with it
 *
 * Whether a client is there, its answers to PINGs tell: it may be half-open, or its session was ended within the library by a frame
 * that is no HTTP/2, upon which nothing more is read, and not even its closing the socket is told (seen in fuzzing, seldom).
 */
export class Http2Door {
  readonly #options: Http2DoorOptions;
  readonly #server: Http2Server;
  readonly #visits = new Map<ServerHttp2Session, Visit>();
  readonly #ofAddress = new Map<string, number>();
  #isClosing = false;

  constructor(options: Http2DoorOptions) {
    this.#options = options;
    this.#server = createServer({
      settings: {
        enablePush: false,
        maxConcurrentStreams: STREAMS_MAX,
        maxHeaderListSize: options.headerBytesMax,
      },
      // Beyond these the library itself ends the session: they catch what `Http2Guard` is not told of.
      streamResetBurst: 200,
      streamResetRate: 20,
      maxSessionInvalidFrames: 20,
      maxSessionRejectedStreams: 20,
      maxSettings: 16,
    });
    this.#server.on("session", (session) => this.#begin(session));
    this.#server.on("stream", (stream, headers, _flags, raw) =>
      this.#take(stream as ServerHttp2Stream, headers, raw),
    );
    this.#server.on("sessionError", (error) => options.count(codeOf(error) ?? "unknown"));
  }

  /** Sessions that are open. */
  get size(): number {
    return this.#visits.size;
  }

  /** Speaks HTTP/2 on a socket whose handshake chose it. */
  accept(socket: TLSSocket): void {
    this.#server.emit("connection", socket);
  }

  /** Sessions end with their last stream, those without one now. Streams that still come are answered. */
  close(): void {
    this.#isClosing = true;
    for (const [session, { streams }] of this.#visits) if (streams === 0) session.close();
  }

  /** Ends every session now. */
  destroy(): void {
    for (const session of this.#visits.keys()) session.destroy();
  }

  #begin(session: ServerHttp2Session): void {
    const address = session.socket.remoteAddress ?? "";
    const { clock, sessionsMax } = this.#options;
    const sessions = (this.#ofAddress.get(address) ?? 0) + 1;
    const guard = new Http2Guard(clock);
    const visit: Visit = { address, guard, streams: 0, idle: null, pulse: null, isAsked: false };
    this.#visits.set(session, visit);
    this.#ofAddress.set(address, sessions);
    session.on("close", () => this.#end(session, visit));
    session.on("ping", () => this.#look(session, visit, "ping"));
    session.on("remoteSettings", () => this.#look(session, visit, "settings"));
    if (sessions > sessionsMax(address)) {
      session.destroy(new Http2Misuse("http2_sessions", address), constants.NGHTTP2_ENHANCE_YOUR_CALM);
      return;
    }
    this.#rest(session, visit);
    this.#watch(session, visit);
  }

  #end(session: ServerHttp2Session, visit: Visit): void {
    visit.idle?.cancel();
    visit.idle = null;
    visit.pulse?.cancel();
    visit.pulse = null;
    if (!this.#visits.delete(session)) return;
    const left = (this.#ofAddress.get(visit.address) ?? 0) - 1;
    if (left > 0) this.#ofAddress.set(visit.address, left);
    else this.#ofAddress.delete(visit.address);
  }

  #take(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, raw: readonly string[]): void {
    const { session } = stream;
    const visit = session === undefined ? undefined : this.#visits.get(session as ServerHttp2Session);
    if (session === undefined || visit === undefined) {
      stream.destroy();
      return;
    }
    visit.streams++;
    visit.idle?.cancel();
    visit.idle = null;
    // A stream must never be without an error handler, however early it fails.
    stream.on("error", ignore);
    const deadline = stream.endAfterHeaders ? null : this.#awaitBody(stream);
    stream.once("close", () => {
      deadline?.cancel();
      this.#leave(session as ServerHttp2Session, visit, stream.rstCode);
    });
    if (headers[":method"] === "CONNECT") {
      stream.respond({ ":status": 405 }, { endStream: true });
      return;
    }
    // Whoever looks at where a request was sent looks at `Host`, and there may be another one (RFC 9113, section 8.3.1).
    const authority = headers[":authority"];
    if (authority !== undefined) headers.host = authority;
    const request = new Http2ServerRequest(stream, headers, {}, raw);
    const response = new Http2ServerResponse(stream);
    if (headers.expect === "100-continue") response.writeContinue();
    this.#options.serve(request as unknown as IncomingMessage, response as unknown as ServerResponse);
  }

  /** Cuts a request whose body does not end in time. */
  #awaitBody(stream: ServerHttp2Stream): Timer {
    const { clock, requestTimeoutMs, count } = this.#options;
    const timer = clock.after(requestTimeoutMs, () => {
      count("ERR_HTTP_REQUEST_TIMEOUT");
      stream.close(constants.NGHTTP2_CANCEL);
    });
    stream.once("end", () => timer.cancel());
    return timer;
  }

  #leave(session: ServerHttp2Session, visit: Visit, rstCode: number): void {
    visit.streams--;
    if (!this.#visits.has(session)) return;
    if (rstCode !== constants.NGHTTP2_NO_ERROR) this.#look(session, visit, "reset");
    if (visit.streams > 0 || session.destroyed) return;
    if (this.#isClosing) session.close();
    else this.#rest(session, visit);
  }

  #rest(session: ServerHttp2Session, visit: Visit): void {
    visit.idle = this.#options.clock.after(SESSION_IDLE_MS, () => {
      visit.idle = null;
      session.close();
    });
  }

  #watch(session: ServerHttp2Session, visit: Visit): void {
    visit.pulse = this.#options.clock.after(this.#options.pingEveryMs(), () => {
      visit.pulse = null;
      if (session.destroyed) return;
      const isSilent =
        visit.isAsked ||
        !ping(session, () => {
          visit.isAsked = false;
        });
      if (isSilent) {
        session.destroy(new Http2Misuse("http2_silent", "PING"));
        return;
      }
      visit.isAsked = true;
      this.#watch(session, visit);
    });
  }

  #look(session: ServerHttp2Session, { guard }: Visit, what: "reset" | "ping" | "settings"): void {
    if (session.destroyed || guard.allows(what)) return;
    session.destroy(new Http2Misuse("http2_flood", what), constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

/** Whether a PING is on its way. */
function ping(session: ServerHttp2Session, answered: () => void): boolean {
  try {
    return session.ping((error) => {
      if (error === null) answered();
    });
  } catch {
    return false;
  }
}

function ignore(): void {}
