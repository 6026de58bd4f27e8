/**
 * A server that speaks just enough of the gateway's protocols to be tested against, with one fault at a time. For
 * tests of programs that look for such faults; what the gateway itself does is tested with the gateway.
 */
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

export type GatewayFault =
  | "none"
  /** The first event of a break is not replayed. */
  | "loses_on_resume"
  /** The last event before a break comes again after it. */
  | "doubles_on_resume"
  /** It says that it can't resume. */
  | "cannot_resume"
  /** Headers of a stream leave, its body does not. */
  | "holds_body"
  /** Neither headers nor body of a stream leave. */
  | "holds_headers"
  /** Streams are compressed. */
  | "compresses"
  /** Upgrades are answered as if they were ordinary requests. */
  | "no_upgrade"
  /** Streams and channels are refused to everybody. */
  | "unauthorized"
  /** Topics exist and never move. */
  | "quiet"
  /** `/healthz` is answered as by a proxy without a gateway. */
  | "bad_gateway"
  /** The answer to everything is another page. */
  | "other_server"
  /** Everything is redirected. */
  | "redirects";

export interface ScriptedGateway extends AsyncDisposable {
  readonly port: number;
  /** Connections of any kind that are open. */
  readonly connections: Promise<number>;
}

interface Follower {
  send(sequence: number): void;
}

const EPOCH = "test";

/** @param tls PEM certificate and key; absent: plain HTTP */
export async function openScriptedGateway(
  fault: GatewayFault,
  tls?: { cert: string; key: string },
): Promise<ScriptedGateway> {
  const gateway = new Scripted(fault);
  const listener: RequestListener = (request, response) => gateway.answer(request, response);
  const server: Server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener);
  const sockets = new WebSocketServer({ noServer: true });
  if (fault !== "no_upgrade") {
    server.on("upgrade", (request, socket, head) =>
      sockets.handleUpgrade(request, socket, head, (webSocket) => gateway.speak(webSocket)),
    );
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    get connections() {
      return new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
    },
    [Symbol.asyncDispose]: async () => {
      gateway.stop();
      for (const webSocket of sockets.clients) webSocket.terminate();
      await new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      });
    },
  };
}

class Scripted {
  readonly #fault: GatewayFault;
  readonly #followers = new Set<Follower>();
  readonly #beat: NodeJS.Timeout | null;
  #head = 100;

  constructor(fault: GatewayFault) {
    this.#fault = fault;
    this.#beat = fault === "quiet" ? null : setInterval(() => this.#publish(), 15);
  }

  stop(): void {
    if (this.#beat !== null) clearInterval(this.#beat);
  }

  answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? "/", "http://gateway.invalid");
    response.on("error", () => {});
    if (this.#fault === "redirects") {
      response.writeHead(301, { location: "https://elsewhere.example/?token=secret" }).end();
    } else if (this.#fault === "other_server") {
      response.writeHead(200, { "content-type": "text/html" }).end("<h1>It works!</h1>");
    } else if (pathname === "/healthz") {
      if (this.#fault === "bad_gateway") response.writeHead(502, { server: "nginx" }).end("Bad Gateway");
      else response.writeHead(200, { "content-type": "application/json" }).end('{"status":"ok"}');
    } else if (pathname === "/auth/login") {
      this.#signIn(request, response);
    } else if (pathname === "/.well-known/mercure") {
      this.#stream(request, response);
    } else {
      response.writeHead(426).end();
    }
  }

  speak(webSocket: WebSocket): void {
    webSocket.on("error", () => {});
    const send = (reply: object) => webSocket.send(JSON.stringify(reply));
    const follower: Follower = {
      send: (offset) => send({ push: { channel: "/quotes/AAPL", pub: { data: { n: offset }, offset } } }),
    };
    webSocket.on("close", () => this.#followers.delete(follower));
    webSocket.on("message", (data) => {
      const { id, connect, subscribe } = JSON.parse(String(data));
      if (connect !== undefined) send({ id, connect: { client: "c", version: "0", ping: 25, pong: true } });
      if (subscribe === undefined) return;
      if (this.#fault === "unauthorized") {
        send({ id, error: { code: 103, message: "permission denied" } });
        return;
      }
      const recovered = subscribe.recover === true && this.#fault !== "cannot_resume";
      const publications = recovered
        ? this.#replay(subscribe.offset).map((offset) => ({ offset, data: {} }))
        : [];
      send({ id, subscribe: { epoch: EPOCH, offset: this.#head, recovered, publications } });
      this.#followers.add(follower);
    });
  }

  #signIn(request: IncomingMessage, response: ServerResponse): void {
    let body = "";
    request.setEncoding("utf8").on("data", (text) => {
      body += text;
    });
    request.on("end", () => {
      const { login, password } = JSON.parse(body);
      const right = login === "demo" && password === "right";
      response
        .writeHead(right ? 200 : 401, { "content-type": "application/json" })
        .end(right ? '{"access_token":"tok","role":"trader","expires_in":900}' : '{"error":"invalid_grant"}');
    });
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    if (this.#fault === "unauthorized") {
      response
        .writeHead(401, { "content-type": "application/json" })
        .end('{"error_description":"sign in first"}');
      return;
    }
    if (this.#fault === "holds_headers") return;
    const asked = request.headers["last-event-id"]?.toString().split(".")[1];
    const cursor = asked === undefined || this.#fault === "cannot_resume" ? this.#head : Number(asked);
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "mercure-last-event-id": `#${EPOCH}.${cursor}`,
      ...(this.#fault === "compresses" ? { "content-encoding": "gzip" } : {}),
    });
    response.flushHeaders();
    if (this.#fault === "holds_body") return;
    const follower: Follower = {
      send: (n) => void response.write(`id: #${EPOCH}.${n}\ndata: {"n":${n}}\n\n`),
    };
    response.on("close", () => this.#followers.delete(follower));
    response.write(": ok\n\n");
    if (asked !== undefined) for (const sequence of this.#replay(cursor)) follower.send(sequence);
    this.#followers.add(follower);
  }

  #replay(cursor: number): number[] {
    const missed = Array.from({ length: Math.max(0, this.#head - cursor) }, (_, index) => cursor + 1 + index);
    if (this.#fault === "loses_on_resume") return missed.slice(1);
    return this.#fault === "doubles_on_resume" ? [cursor, ...missed] : missed;
  }

  #publish(): void {
    this.#head++;
    for (const follower of this.#followers) follower.send(this.#head);
  }
}
