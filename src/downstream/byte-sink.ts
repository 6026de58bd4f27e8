import type { Socket } from "node:net";

/**
 * What a connection needs of the transport below it: a TCP or TLS socket of its own, or one stream of an HTTP/2 session
 * that it shares. What belongs to the whole of a TCP connection (delays, keep-alive) is not here: a stream has no say in it.
 */
export interface ByteSink {
  readonly destroyed: boolean;
  /** Bytes that were written and not taken yet. */
  readonly writableLength: number;
  /** Set from the write that filled it to the event `drain`. */
  readonly writableNeedDrain: boolean;
  /** Whether its end was written: nothing can be written behind it. */
  readonly writableEnded: boolean;
  write(bytes: Buffer): boolean;
  cork(): void;
  uncork(): void;
  /** Ends in order, behind what was written. */
  end(): unknown;
  end(bytes: Buffer): unknown;
  /** Ends now. */
  destroy(): unknown;
  /** Not of a stream, whose TCP connection is tuned by its session. */
  setKeepAlive?(isOn: boolean, afterMs: number): unknown;
  /** Has what comes in read and dropped. */
  resume(): unknown;
  /** `end`: the client has said its last. What is told of a stream's request, whose end came before, is not heard. */
  on(event: "end" | "close" | "drain", listener: () => void): unknown;
  on(event: "error", listener: (error: Error) => void): unknown;
}

/**
 * Makes a TCP connection that many share fit for events: sent without delay, and given up when nobody has been at the
 * other end for a while.
 *
 * @param keepAliveMs silence after which the operating system asks whether the peer is still there
 */
export function tuneSocket(socket: Socket, keepAliveMs: number): void {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveMs);
}
