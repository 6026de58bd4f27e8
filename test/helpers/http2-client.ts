import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  type OutgoingHttpHeaders,
} from "node:http2";
import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { until } from "./feed-server.ts";
import { tlsFixture } from "./http2-feed.ts";

/** One HTTP/2 session of a real client, and what it saw. */
export class Http2Client implements AsyncDisposable {
  readonly session: ClientHttp2Session;
  /** The TCP socket below it. */
  readonly tcp: Socket;
  /** Error codes of the GOAWAYs that came. */
  readonly goaways: number[] = [];
  readonly closed: Promise<void>;

  private constructor(session: ClientHttp2Session, tcp: Socket) {
    this.session = session;
    this.tcp = tcp;
    session.on("goaway", (code) => this.goaways.push(code));
    session.on("error", () => {});
    this.closed = new Promise((resolve) => session.once("close", resolve));
  }

  /** @param url of a gateway with the certificate `good` */
  static async dial(url: string, settings: { initialWindowSize?: number } = {}): Promise<Http2Client> {
    const tcp = connectTcp(Number(new URL(url).port), "127.0.0.1");
    const session = connect(url.replace("127.0.0.1", "localhost"), {
      settings,
      createConnection: () =>
        connectTls({
          socket: tcp,
          servername: "localhost",
          ca: [tlsFixture("ca.crt")],
          ALPNProtocols: ["h2"],
        }),
    });
    const client = new Http2Client(session, tcp);
    await new Promise<void>((resolve, reject) => {
      session.once("remoteSettings", () => resolve());
      session.once("error", reject);
      session.once("close", () => reject(new Error("closed before its settings came")));
    });
    return client;
  }

  /** Of the gateway's certificate. */
  get serialNumber(): string {
    return (this.session.socket as TLSSocket).getPeerCertificate().serialNumber;
  }

  /** A stream of events. */
  async follow(query: string, headers: OutgoingHttpHeaders = {}): Promise<Http2Events> {
    const events = new Http2Events(
      this.session.request({ ":path": `/.well-known/mercure?${query}`, ...headers }),
    );
    await until("the response's head", () => events.status !== 0);
    return events;
  }

  /** A whole exchange. */
  async ask(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders = {},
    body = "",
  ): Promise<{ status: number; headers: Record<string, unknown>; body: string }> {
    const stream = this.session.request(
      { ":method": method, ":path": path, ...headers },
      { endStream: body === "" },
    );
    if (body !== "") stream.end(body);
    const events = new Http2Events(stream);
    await events.ended;
    return { status: events.status, headers: events.headers, body: events.text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.session.destroy();
    this.tcp.destroy();
    await this.closed;
  }
}

/** One response, as it comes. */
class Http2Events {
  readonly stream: ClientHttp2Stream;
  status = 0;
  headers: Record<string, unknown> = {};
  text = "";
  /** Resolves when the stream is closed, whoever did it. */
  readonly ended: Promise<void>;

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream;
    stream.setEncoding("utf8");
    stream.on("response", (headers) => {
      this.status = Number(headers[":status"]);
      this.headers = headers;
    });
    stream.on("data", (text) => {
      this.text += text;
    });
    stream.on("error", () => {});
    this.ended = new Promise((resolve) => stream.once("close", resolve));
  }

  /** The data of the events that came, comments and the rest left out. */
  get data(): string[] {
    return Array.from(this.text.matchAll(/^data: (.*)$/gm), ([, data]) => data as string);
  }

  /** The last id that came, cursors in comments' events included. */
  get lastId(): string {
    return Array.from(this.text.matchAll(/^id: (.*)$/gm), ([, id]) => id as string).at(-1) ?? "";
  }
}
