import type { IncomingMessage, ServerResponse } from "node:http";
import { type Socket, Socket as SocketClass } from "node:net";

/**
 * Takes a request's socket away from `node:http` for good, so that an idle stream costs a socket and no more: on Node
 * 24 and 26 a response held open costs four times the memory, much of which is not given back when it ends.
 *
 *     request ──> request.resume() ──> next turn ──> takeOverSocket ──> the socket is the caller's
 *
 * `http` is made to clean up as it does when a socket closes: its own listeners are removed, and its `close` listener
 * is called, which frees the parser and forgets request and response. Listeners of others, TLS's among them, stay.
 * Should a future Node name its listeners otherwise, they stay as well, and the socket works still, only not as lean;
 * a test tells.
 *
 * Not to be called in the turn of the `request` event: the parser is still running then.
 *
 * @returns null when the socket can't be had: it is gone, the response was begun, the request's body was not read to
 *   its end, or another request of the same socket is being answered. The caller answers or destroys it the usual way.
 */
export function takeOverSocket(request: IncomingMessage, response: ServerResponse): Socket | null {
  const { socket } = request;
  // A request that has not ended would be aborted by `http`'s cleaning, and its socket destroyed.
  if (socket.destroyed || response.socket !== socket || response.headersSent || !request.readableEnded)
    return null;
  response.detachSocket(socket);
  const cleaners: ((hadError: boolean) => void)[] = [];
  for (const event of LISTENED) {
    for (const listener of socket.listeners(event)) {
      if (!HTTP_LISTENERS.has(listener.name)) continue;
      socket.removeListener(event, listener as () => void);
      if (event === "close") cleaners.push(listener as (hadError: boolean) => void);
    }
  }
  cleanUp(cleaners, socket);
  // `http` had put closures of its own here; the prototype's functions are shared.
  socket.on = SocketClass.prototype.on;
  socket.addListener = SocketClass.prototype.addListener;
  socket.prependListener = SocketClass.prototype.prependListener;
  socket.setEncoding = SocketClass.prototype.setEncoding;
  if (socket.destroyed) return null;
  socket.setTimeout(0);
  // With nobody listening to `data` it is read and dropped, which is how a FIN is seen.
  socket.resume();
  return socket;
}

/** `http` gives the request up with an error that nobody sees. Its stack would be a good part of a connection's cost. */
function cleanUp(cleaners: readonly ((hadError: boolean) => void)[], socket: Socket): void {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    for (const clean of cleaners) clean.call(socket, false);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

const LISTENED = ["data", "end", "close", "drain", "error", "timeout", "resume", "pause"] as const;

/** The names of the listeners that `http` puts on a server's socket (Node's `lib/_http_server.js`). */
const HTTP_LISTENERS: ReadonlySet<string> = new Set([
  "bound socketOnData",
  "bound socketOnEnd",
  "bound socketOnClose",
  "bound socketOnDrain",
  "socketOnError",
  "socketOnTimeout",
  "onSocketResume",
  "onSocketPause",
]);
