import { WebSocket } from "ws";

/** Who is told what happens to a `ClientSocket`. */
export interface SocketOwner {
  message(data: Buffer, isBinary: boolean): void;
  /**
   * The library is about to answer the client's close frame, or a frame that breaks RFC 6455, with a close frame of
   * its own; nothing may be written behind that one. The owner ends now, and by `finish` lets the frame go.
   *
   * @param brokenWith the status code where the framing was broken (section 7.4.1); null: the client closes
   */
  closing(brokenWith: number | null): void;
  /** The library gives the client up and destroys the socket. */
  terminating(): void;
}

/**
 * The server's end of a WebSocket, as `ws` reads it. Frames out go past it, straight to the socket; only close frames
 * and answers to WebSocket pings are its own. It is a class of its own, rather than listeners, since `ws` tells of a
 * close frame that came only once the socket is gone, and since listeners would be closures for each connection.
 */
export class ClientSocket extends WebSocket {
  #owner: SocketOwner | null = null;
  #isFinishing = false;
  /** What the library wants to close with. */
  #answer: [code?: number, data?: string | Buffer] = [];

  /** Called once, in the turn of the handshake. */
  adopt(owner: SocketOwner): void {
    this.#owner = owner;
    this.on("message", onMessage);
    this.on("error", onError);
  }

  message(data: Buffer, isBinary: boolean): void {
    this.#owner?.message(data, isBinary);
  }

  /** Sends the close frame: the one the library wanted to send, else the given one. */
  finish(code: number, text: string): void {
    this.#isFinishing = true;
    this.#owner = null;
    if (this.#answer.length > 0) super.close(...this.#answer);
    else super.close(code, text);
  }

  /** Called by the library only: with a reason's bytes, or nothing, for a close frame that came; else for a fault. */
  override close(code?: number, data?: string | Buffer): void {
    if (this.#isFinishing || this.#owner === null) {
      super.close(code, data);
      return;
    }
    this.#answer = code === undefined ? [1000] : data === undefined ? [code] : [code, data];
    this.#owner.closing(code !== undefined && data === undefined ? code : null);
  }

  override terminate(): void {
    this.#owner?.terminating();
    super.terminate();
  }
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  (this as ClientSocket).message(data as Buffer, isBinary);
}

/** Faults are told by `closing`, and the socket's errors to the connection, which listens to the socket itself. */
function onError(): void {}
