import type { Socket } from "node:net";
import { Client, type Dispatcher } from "undici";
import { messageOf } from "#base/errors.ts";
import type { Carrier, Exchange, ExchangeListener, ExchangeRequest } from "./exchange.ts";
import { type DialPhase, errorReason } from "./link-reason.ts";

/** A connected socket for one request over HTTP/1.1. It goes with the request. */
export class Http1Carrier implements Carrier {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  request(request: ExchangeRequest, listener: ExchangeListener): Exchange {
    return new Http1Exchange(this.#socket, request, listener);
  }
}

class Http1Exchange implements Exchange {
  readonly #socket: Socket;
  readonly #client: Client;
  #over = false;
  /** What became of the socket itself. undici takes a reset of a response that says `Connection: close` for its end. */
  #socketError: Error | null = null;

  constructor(socket: Socket, { url, headers }: ExchangeRequest, listener: ExchangeListener) {
    this.#socket = socket;
    socket.once("error", (error) => {
      this.#socketError = error;
    });
    this.#client = new Client(url.origin, {
      // Not at once: undici is in the middle of asking.
      connect: (_options, callback) => queueMicrotask(() => callback(null, socket)),
      // The link's one timer watches over both; quiet streams are its business too.
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 1,
    });
    this.#client.dispatch(
      { method: "GET", path: `${url.pathname}${url.search}`, headers },
      this.#handler(listener),
    );
  }

  destroy(): void {
    this.#over = true;
    this.#socket.destroy();
    void this.#client.destroy().catch(() => {});
  }

  #handler(listener: ExchangeListener): Dispatcher.DispatchHandler {
    let phase: DialPhase | "open" = "headers";
    return {
      onRequestStart() {},
      onResponseStart: (_controller, status, headers) => {
        if (this.#over || status < 200) return;
        phase = "open";
        listener.answered(status, headers);
      },
      onResponseData: (_controller, chunk) => {
        if (!this.#over) listener.data(chunk);
      },
      onResponseEnd: () => {
        if (this.#over) return;
        this.destroy();
        const error = this.#socketError;
        if (error !== null) {
          listener.over({ reason: errorReason(error, phase), message: messageOf(error), again: "no" });
          return;
        }
        listener.over({ reason: "ended", message: "the feed ended the stream", again: "no" });
      },
      onResponseError: (_controller, error) => {
        if (this.#over) return;
        this.destroy();
        const cause = this.#socketError ?? error;
        listener.over({ reason: errorReason(cause, phase), message: messageOf(cause), again: "no" });
      },
    };
  }
}
