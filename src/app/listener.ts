import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createSecureServer, Server as SecureServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { SecureContextOptions, TLSSocket } from "node:tls";
import type { Clock } from "#base/clock.ts";
import { CodedError, codeOf, messageOf } from "#base/errors.ts";
import { tuneSocket } from "#downstream/byte-sink.ts";
import { Http2Door } from "./listener-http2.ts";
import { listenShared, SpareListeners } from "./listener-spares.ts";

/** Bytes of a request's line and headers. */
const HEADER_BYTES_MAX = 16 * 1024;
/** From a connection's first byte, or the last answer, to the end of the headers. */
const HEADERS_TIMEOUT_MS = 10_000;
/** To the end of the body. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How often these deadlines are looked at. */
const DEADLINES_EVERY_MS = 5_000;
/** How long an idle keep-alive connection is held. */
const KEEP_ALIVE_TIMEOUT_MS = 5_000;

export type ListenErrorCode = "port_in_use" | "port_forbidden" | "address_unavailable" | "listen_failed";

export class ListenError extends CodedError<ListenErrorCode> {}

/** Answers what belongs to it and says so; what it leaves goes to the next. */
export type RawHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface ListenerOptions {
  readonly host: string;
  /** 0: a free port. */
  readonly port: number;
  /** Null: plain HTTP. */
  readonly tls: SecureContextOptions | null;
  /** Whether HTTP/2 is offered beside HTTP/1.1. Over TLS only. */
  readonly http2: boolean;
  readonly clock: Clock;
  /** Most HTTP/2 sessions from one peer's address. */
  readonly sessionsMax: (address: string) => number;
  /** Silence after which the operating system asks whether an HTTP/2 client is still there, in milliseconds. */
  readonly keepAliveMs: () => number;
}

/**
 * The gateway's one port. Streams and upgrades are handled beside the web framework, since their sockets
 * are taken over; everything else goes to it.
 */
export class Listener implements AsyncDisposable {
  readonly server: Server;
  readonly #options: ListenerOptions;
  #closing: Promise<void> | null = null;
  readonly #clientErrors = new Map<string, number>();
  readonly #http2: Http2Door | null;
  /** What they accept becomes the server's. */
  readonly #spares: SpareListeners;
  #sockets = 0;
  #socketsMax = Number.POSITIVE_INFINITY;
  #answer: RequestListener = (_request, response) => void response.end();

  constructor(options: ListenerOptions) {
    this.#options = options;
    const common = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      connectionsCheckingInterval: DEADLINES_EVERY_MS,
      noDelay: true,
    };
    this.server =
      options.tls === null
        ? createServer(common)
        : createSecureServer({
            ...common,
            ...options.tls,
            minVersion: "TLSv1.2",
            ALPNProtocols: options.http2 ? ["h2", "http/1.1"] : ["http/1.1"],
            handshakeTimeout: HEADERS_TIMEOUT_MS,
          });
    this.server.on("clientError", (error, socket) => this.#onClientError(error, socket));
    this.server.on("tlsClientError", (error) => this.#count(error));
    this.#spares = new SpareListeners(
      (socket) => void this.server.emit("connection", socket),
      options.tls === null,
    );
    const served = this.server.listeners("connection") as ((socket: Socket) => void)[];
    this.server.removeAllListeners("connection");
    this.server.on("connection", (socket: Socket) => {
      if (this.#admit(socket)) for (const listener of served) listener.call(this.server, socket);
    });
    this.server.on("secureConnection", (socket: Duplex) => socket.on("error", ignore));
    this.#http2 = options.tls === null || !options.http2 ? null : this.#openHttp2(options);
  }

  /** What answers requests, in this order, and upgrades. Called once, before `open`. */
  serve(
    raw: readonly RawHandler[],
    rest: RequestListener,
    upgrade: (request: IncomingMessage, socket: Duplex, head: Buffer) => void,
  ): void {
    this.#answer = (request, response) => {
      for (const handler of raw) {
        if (handler(request, response)) return;
      }
      rest(request, response);
    };
    this.server.on("request", this.#answer);
    this.server.on("upgrade", upgrade);
  }

  /** @throws ListenError that says what is wrong with the address, and what to do */
  async open(): Promise<void> {
    const { host, port } = this.#options;
    try {
      const isShared = await listenShared(this.server, { host, port });
      if (isShared) await this.#spares.open({ host, port: this.address.port });
    } catch (error) {
      throw listenErrorOf(error as Error, host, port);
    }
  }

  /** The address in force, once open. */
  get address(): { readonly host: string; readonly port: number; readonly url: string } {
    const { address, family, port } = this.server.address() as AddressInfo;
    const isAny = address === "0.0.0.0" || address === "::";
    const host = isAny ? "localhost" : family === "IPv6" ? `[${address}]` : address;
    return { host: address, port, url: `${this.#options.tls === null ? "http" : "https"}://${host}:${port}` };
  }

  /** Most sockets at once, those of requests and of clients on their way out too. */
  limitSockets(max: number): void {
    this.#socketsMax = max;
  }

  /** Puts another certificate in force, for connections to come. */
  setCertificate(context: SecureContextOptions): void {
    if (this.server instanceof SecureServer) this.server.setSecureContext(context);
  }

  get isSecure(): boolean {
    return this.#options.tls !== null;
  }

  /** Counts of connections that failed before a request could be read, by `room:code`. */
  *errorEntries(): IterableIterator<readonly [string, number]> {
    for (const [code, count] of this.#clientErrors) yield [`listener:${code}`, count];
  }

  /** HTTP/2 sessions that are open. */
  get sessions(): number {
    return this.#http2?.size ?? 0;
  }

  get isListening(): boolean {
    return this.server.listening;
  }

  /** Stops accepting, lets answers under way end, and resolves when the last socket is gone. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      if (!this.server.listening) resolve();
      else this.server.close(() => resolve());
    });
    const sparesClosed = this.#spares.close();
    this.server.closeIdleConnections();
    this.#http2?.close();
    await Promise.all([closed, sparesClosed]);
  }

  /** Ends whatever `close` still waits for. */
  destroy(): void {
    this.server.closeAllConnections();
    this.#http2?.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = this.close();
    this.destroy();
    await closed;
  }

  /** What the handshake agreed on decides who speaks on a socket: the HTTP/1.1 server, as without HTTP/2, or the door. */
  #openHttp2({ clock, sessionsMax, keepAliveMs }: ListenerOptions): Http2Door {
    const door = new Http2Door({
      clock,
      sessionsMax,
      pingEveryMs: keepAliveMs,
      headerBytesMax: HEADER_BYTES_MAX,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      serve: (request, response) => this.#answer(request, response as never),
      count: (code) => this.#countCode(code),
    });
    const http1 = this.server.listeners("secureConnection") as ((socket: TLSSocket) => void)[];
    this.server.removeAllListeners("secureConnection");
    this.server.on("secureConnection", (socket: TLSSocket) => {
      if (socket.alpnProtocol !== "h2") {
        for (const listener of http1) listener.call(this.server, socket);
        return;
      }
      socket.on("error", ignore);
      tuneSocket(socket, keepAliveMs());
      door.accept(socket);
    });
    return door;
  }

  /** Over the bound it is closed at once, which clients take for a network's fault and try again. */
  #admit(socket: Socket): boolean {
    // Sockets must never be without an error handler, however early they fail.
    socket.on("error", ignore);
    this.#sockets++;
    socket.on("close", this.#onSocketClose);
    if (this.#sockets <= this.#socketsMax) return true;
    this.#countCode("dropped");
    socket.destroy();
    return false;
  }

  readonly #onSocketClose = (): void => {
    this.#sockets--;
  };

  #onClientError(error: Error, socket: Duplex): void {
    this.#count(error);
    if (!socket.writable || codeOf(error) === "ECONNRESET") {
      socket.destroy();
      return;
    }
    const status =
      codeOf(error) === "HPE_HEADER_OVERFLOW"
        ? "431 Request Header Fields Too Large"
        : codeOf(error) === "ERR_HTTP_REQUEST_TIMEOUT"
          ? "408 Request Timeout"
          : "400 Bad Request";
    socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`, () =>
      socket.destroy(),
    );
  }

  #count(error: Error): void {
    this.#countCode(codeOf(error) ?? "unknown");
  }

  #countCode(code: string): void {
    // The codes are OpenSSL's and Node's; a bound all the same, since a peer provokes them.
    if (this.#clientErrors.size < 64 || this.#clientErrors.has(code)) {
      this.#clientErrors.set(code, (this.#clientErrors.get(code) ?? 0) + 1);
    }
  }
}

function listenErrorOf(error: Error, host: string, port: number): ListenError {
  const place = `${host}:${port}`;
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return new ListenError(
        "port_in_use",
        `${place} is in use by another program; stop it, or set listen.port to another port`,
        { cause: error },
      );
    case "EACCES":
      return new ListenError(
        "port_forbidden",
        `this user may not listen on ${place}; ports below 1024 need a privilege, so set listen.port to a higher one`,
        { cause: error },
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new ListenError(
        "address_unavailable",
        `this machine has no address ${host}; set listen.host to one of its own, or to 0.0.0.0 or :: for all`,
        { cause: error },
      );
    default:
      return new ListenError("listen_failed", `can't listen on ${place}: ${messageOf(error)}`, {
        cause: error,
      });
  }
}

function ignore(): void {}
