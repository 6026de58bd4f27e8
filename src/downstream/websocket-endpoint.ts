import { type IncomingMessage, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Server, WebSocketServer } from "ws";
import { pageOriginOf } from "#protocol/page-origin.ts";
import type { Desk } from "./desk.ts";
import { ClientSocket } from "./websocket-client-socket.ts";
import { WebSocketConnection } from "./websocket-connection.ts";
import { type CompressionSettings, Deflater, isAgreeable } from "./websocket-deflate.ts";

/** Subprotocols by which the Centrifuge client protocol is spoken: this one, and one that is not spoken here. */
const JSON_PROTOCOL = "centrifuge-json";
const PROTOBUF_PROTOCOL = "centrifuge-protobuf";

/** Why a handshake is refused, and with which HTTP status. Also keys of the error counts. */
const REFUSALS = {
  forbidden_origin: 403,
  unsupported_protocol: 400,
  draining: 503,
  memory: 503,
  connections: 503,
  connectionsPerUser: 503,
  connectionsPerAddress: 429,
  connectionsPerSecond: 503,
} as const;
type Refusal = keyof typeof REFUSALS;

/**
 * `GET /connection/websocket`: takes handshakes and makes connections of them. It holds nothing: connections are in
 * the registry, and end there.
 */
export class WebSocketEndpoint {
  readonly #desk: Desk;
  readonly #deflater: Deflater | null;
  #server: Server<typeof ClientSocket>;

  constructor(desk: Desk) {
    this.#desk = desk;
    this.#deflater = desk.compression === null ? null : new Deflater(desk.compression);
    this.#server = serverFor(desk.limits.requestBytes, desk.compression);
  }

  /**
   * Answers an HTTP server's `upgrade` event, in its turn. A full or draining gateway answers 503, upon which SDKs
   * come back by themselves, as they would not after a close code of the protocol's limits.
   */
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const address = this.#desk.addressOf(request);
    const refusal = this.#refusalOf(request, address);
    if (refusal !== null) {
      this.#refuse(socket, refusal);
      return;
    }
    const { compression, limits } = this.#desk;
    const { requestBytes } = limits;
    // It holds nothing, so another one does as well.
    if (this.#server.options.maxPayload !== requestBytes) this.#server = serverFor(requestBytes, compression);
    const { headers } = request;
    const offer = headers["sec-websocket-extensions"];
    // The library refuses a handshake whose offer it can't take; we rather go without.
    if (compression !== null && offer !== undefined && !isAgreeable(offer, compression)) {
      delete headers["sec-websocket-extensions"];
    }
    this.#server.handleUpgrade(request, socket, head, (webSocket) => {
      const deflater = webSocket.extensions.includes(DEFLATE) ? this.#deflater : null;
      new WebSocketConnection(this.#desk, socket as Socket, webSocket, address, deflater);
    });
  }

  #refusalOf(request: IncomingMessage, address: string): Refusal | null {
    // Programs do not say where they come from, and are let in.
    if (pageOriginOf(request.headers, this.#desk.origins) === "foreign") return "forbidden_origin";
    if (wantsProtobuf(request)) return "unsupported_protocol";
    return this.#desk.registry.admit(address, null, this.#desk.limits, this.#desk.isDraining());
  }

  #refuse(socket: Duplex, refusal: Refusal): void {
    // Nobody else listens, and an error would end the process.
    socket.on("error", onError);
    this.#desk.counters.errors.add(refusal);
    const status = REFUSALS[refusal];
    const body = `${refusal}\n`;
    socket.once("finish", () => socket.destroy());
    socket.end(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n` +
        `Content-Length: ${body.length}\r\n\r\n${body}`,
    );
  }
}

const DEFLATE = "permessage-deflate";

function serverFor(
  messageBytesMax: number,
  compression: CompressionSettings | null,
): Server<typeof ClientSocket> {
  return new WebSocketServer({
    noServer: true,
    clientTracking: false,
    // With contexts that are kept it costs each connection hundreds of kilobytes and fragments the heap.
    perMessageDeflate:
      compression === null
        ? false
        : {
            serverNoContextTakeover: true,
            clientNoContextTakeover: true,
            serverMaxWindowBits: compression.windowBits,
            concurrencyLimit: compression.inflationsMax,
          },
    maxPayload: messageBytesMax,
    handleProtocols: (offered) => (offered.has(JSON_PROTOCOL) ? JSON_PROTOCOL : false),
    WebSocket: ClientSocket,
  });
}

/** Answered in JSON such a client would understand nothing, so it is told at once. */
function wantsProtobuf(request: IncomingMessage): boolean {
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  if (offered.includes(PROTOBUF_PROTOCOL) && !offered.includes(JSON_PROTOCOL)) return true;
  const url = request.url ?? "";
  const mark = url.indexOf("?");
  if (mark < 0) return false;
  const query = new URLSearchParams(url.slice(mark));
  return query.get("format") === "protobuf" || query.get("cf_protocol") === "protobuf";
}

function onError(this: Duplex): void {
  this.destroy();
}
