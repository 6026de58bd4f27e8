import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { STATUS_CODES } from "node:http";
import { Readable } from "node:stream";
import type { SimulatedSocket } from "./simulated-socket.ts";

/** What a client asks for. */
export interface ClientRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A request as `node:http` would hand it on: as much of it as the gateway looks at. */
export class SimulatedRequest extends Readable {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly socket: SimulatedSocket;
  readonly httpVersion = "1.1";
  readonly httpVersionMajor = 1;
  readonly complete = true;

  constructor({ method, url, headers, body }: ClientRequest, socket: SimulatedSocket) {
    super();
    this.method = method;
    this.url = url;
    this.headers = headers;
    this.socket = socket;
    if (body !== "") this.push(Buffer.from(body));
    this.push(null);
  }

  override _read(): void {}
}

/** A response as `node:http` would make it, for one request on a socket. */
export class SimulatedResponse {
  socket: SimulatedSocket | null;
  headersSent = false;
  #head = "";

  constructor(socket: SimulatedSocket) {
    this.socket = socket;
  }

  get destroyed(): boolean {
    return this.socket === null || this.socket.destroyed;
  }

  detachSocket(): void {
    this.socket = null;
  }

  writeHead(status: number, headers: OutgoingHttpHeaders): this {
    this.headersSent = true;
    this.#head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    for (const [name, value] of Object.entries(headers)) {
      if (value !== undefined) this.#head += `${name}: ${String(value)}\r\n`;
    }
    return this;
  }

  /** The connection ends with the answer. */
  end(body = ""): void {
    const { socket } = this;
    if (socket === null || socket.destroyed) return;
    socket.end(`${this.#head}\r\n${body}`);
    socket.resume();
    socket.once("end", () => socket.destroy());
    socket.on("error", () => {});
  }
}
