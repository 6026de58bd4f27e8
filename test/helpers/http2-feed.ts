import { readFileSync } from "node:fs";
import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo, Socket } from "node:net";

export function tlsFixture(name: string): string {
  return readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8");
}

/**
 * A real SSE feed over TLS on a loopback port, for tests: HTTP/2 where the client offers it, else HTTP/1.1 if allowed.
 */
export class Http2Feed implements AsyncDisposable {
  readonly requests: IncomingHttpHeaders[] = [];
  readonly sessions = new Set<ServerHttp2Session>();
  readonly streams = new Set<ServerHttp2Stream>();
  /** TCP connections that are open now. */
  readonly sockets = new Set<Socket>();
  /** TCP connections accepted so far. */
  accepted = 0;
  /** HTTP/1.1 requests so far. */
  http1 = 0;
  /** The name in the client's certificate, of each connection that showed one. */
  readonly clients: string[] = [];
  /** Set to answer requests otherwise than by a stream: true says that it did. */
  script: ((stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => boolean) | null = null;
  readonly #server: Http2SecureServer;

  private constructor(options: SecureServerOptions) {
    this.#server = createSecureServer({
      key: tlsFixture("good.key"),
      cert: tlsFixture("good.crt"),
      ...options,
    });
  }

  static async open(options: SecureServerOptions = {}): Promise<Http2Feed> {
    const feed = new Http2Feed(options);
    feed.#listen();
    await new Promise<void>((resolve) => feed.#server.listen(0, "127.0.0.1", resolve));
    return feed;
  }

  /** By address: the certificate is for it, too. */
  get origin(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  publish(text: string): void {
    for (const stream of this.streams) stream.write(text);
  }

  /** Cuts every connection by a TCP reset. */
  resetAll(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.resetAll();
    await closed;
  }

  #listen(): void {
    this.#server.on("connection", (socket: Socket) => {
      this.accepted++;
      this.sockets.add(socket);
      socket.on("error", () => {});
      socket.once("close", () => this.sockets.delete(socket));
    });
    this.#server.on("secureConnection", (socket) => {
      const name = socket.getPeerCertificate()?.subject?.CN;
      if (typeof name === "string") this.clients.push(name);
    });
    this.#server.on("session", (session) => {
      this.sessions.add(session);
      session.on("error", () => {});
      session.once("close", () => this.sessions.delete(session));
    });
    this.#server.on("sessionError", () => {});
    this.#server.on("tlsClientError", () => {});
    this.#server.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) =>
      this.#answer(stream, headers),
    );
    this.#server.on("request", (request, response) => {
      if (request.httpVersionMajor === 2) return;
      this.http1++;
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(":\n\n");
    });
  }

  #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
    this.requests.push(headers);
    stream.on("error", () => {});
    if (this.script?.(stream, headers) === true) return;
    this.streams.add(stream);
    stream.once("close", () => this.streams.delete(stream));
    stream.respond({ ":status": 200, "content-type": "text/event-stream" });
    stream.write(":\n\n");
  }
}
