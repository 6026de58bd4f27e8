import type { IncomingMessage, ServerResponse } from "node:http";
import { Http2ServerResponse } from "node:http2";
import type { ByteSink } from "./byte-sink.ts";
import { takeOverSocket } from "./socket-takeover.ts";

/** The fields of a response's head, by name. */
export type HeadFields = Readonly<Record<string, string>>;

/** Where a stream's events go from now on. */
export interface TakenResponse {
  readonly sink: ByteSink;
  /** Begins the response with status 200. Answers what has to go before the body's bytes, which may be nothing. */
  begin(fields: HeadFields): Buffer;
}

/**
 * Takes a request's answer away from the HTTP library, in a later turn than the request's: over HTTP/1.1 its socket, over
 * HTTP/2 its stream.
 *
 * @returns null when it can't be had: the client is gone, the answer was begun, or the request has not ended
 */
export function takeOver(
  request: IncomingMessage,
  response: ServerResponse | Http2ServerResponse,
): TakenResponse | null {
  if (response instanceof Http2ServerResponse) return takeOverStream(request, response);
  const socket = takeOverSocket(request, response);
  if (socket === null) return null;
  socket.setNoDelay(true);
  return { sink: socket, begin: http1Head };
}

/**
 * The body ends with the connection: no chunks, so that an event's bytes are the same for all.
 */
function http1Head(fields: HeadFields): Buffer {
  let head = "HTTP/1.1 200 OK\r\nConnection: close\r\n";
  for (const name in fields) head += `${name}: ${fields[name]}\r\n`;
  return Buffer.from(`${head}\r\n`);
}

function takeOverStream(request: IncomingMessage, response: Http2ServerResponse): TakenResponse | null {
  const { stream } = response;
  if (stream === undefined || stream.destroyed || stream.headersSent || !request.readableEnded) return null;
  return {
    sink: stream,
    begin(fields) {
      const head: Record<string, string> = { ":status": "200" };
      // The library writes a character a byte; what is not ASCII is UTF-8 already on its way there.
      for (const [name, value] of Object.entries(fields)) {
        head[name.toLowerCase()] = Buffer.from(value).toString("latin1");
      }
      stream.respond(head);
      return NOTHING;
    },
  };
}

const NOTHING = Buffer.alloc(0);
