import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { type buildConnector, Client, type Dispatcher } from "undici";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import { lastEventIdField } from "./event-stream.ts";
import { type DialPhase, errorReason, type LinkReason, statusReason } from "./link-reason.ts";
import { retryAfterMs } from "./retry-after.ts";

/** As many as the Fetch standard allows (4.4, "HTTP-redirect fetch"). */
export const REDIRECTS_MAX = 20;

/** Quiet connections are probed after so long, so that a vanished peer is noticed by the system as well. */
const KEEP_ALIVE_DELAY_MS = 30_000;

/** A request for an event stream. */
export interface DialRequest {
  readonly url: string;
  /** Sent to the URL's own origin only: any of them may be a secret. */
  readonly headers: Readonly<Record<string, string>>;
  /** "" sends none. */
  readonly lastEventId: string;
}

/** What becomes of a dial. After `failed`, and after `destroy`, nothing more is said. */
export interface DialListener {
  /** A 200 with an event stream. */
  opened(): void;
  data(chunk: Buffer): void;
  failed(failure: DialFailure): void;
}

export interface DialFailure {
  readonly reason: LinkReason;
  /** What the system, the library or the feed said; holds no query string. */
  readonly message: string;
  readonly retryAfterMs: number | null;
}

export interface Dial {
  readonly phase: DialPhase | "open";
  /** Ends it now, socket included. Idempotent. */
  destroy(): void;
}

/**
 * Opens event streams over HTTP/1.1, each on a socket of its own that it owns from birth to close: a stream that is
 * destroyed, in whatever phase, leaves nothing behind in a pool.
 */
export class Dialer {
  readonly #clock: Clock;
  readonly #sockets = new Set<Socket>();
  #drained: (() => void) | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sockets that are not closed yet, connecting ones included. */
  get sockets(): number {
    return this.#sockets.size;
  }

  dial(request: DialRequest, listener: DialListener): Dial {
    return new StreamDial(request, listener, this.#clock, (secure, options) =>
      this.#connect(secure, options),
    );
  }

  /** Resolves when the last socket is closed; whoever dialled destroys the dials. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#sockets.size === 0) resolve();
      else this.#drained = resolve;
    });
  }

  #connect(secure: boolean, { hostname, port }: buildConnector.Options): Socket {
    const options = {
      host: hostname,
      port: port === "" ? (secure ? 443 : 80) : Number(port),
      keepAlive: true,
      keepAliveInitialDelay: KEEP_ALIVE_DELAY_MS,
      noDelay: true,
    };
    const socket = secure
      ? connectTls({
          ...options,
          servername: isIP(hostname) === 0 ? hostname : "",
          ALPNProtocols: ["http/1.1"],
        })
      : connectTcp(options);
    this.#sockets.add(socket);
    // From birth: an error between the phases, when nobody else listens, must not end the process.
    socket.on("error", () => {});
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) {
        this.#drained?.();
        this.#drained = null;
      }
    });
    return socket;
  }
}

/** Where a URL leads, without what may be secret in it: credentials, query and fragment. For logs. */
export function redactUrl(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? "(not a URL)" : `${parsed.origin}${parsed.pathname}`;
}

type Connect = (secure: boolean, options: buildConnector.Options) => Socket;

class StreamDial implements Dial {
  phase: DialPhase | "open" = "dns";
  readonly #request: DialRequest;
  readonly #origin: string;
  readonly #listener: DialListener;
  readonly #clock: Clock;
  readonly #connect: Connect;
  #socket: Socket | null = null;
  #client: Client | null = null;
  #redirects = 0;
  #leftOrigin = false;
  #started = false;
  #over = false;

  constructor(request: DialRequest, listener: DialListener, clock: Clock, connect: Connect) {
    this.#request = request;
    this.#listener = listener;
    this.#clock = clock;
    this.#connect = connect;
    const url = new URL(request.url);
    this.#origin = url.origin;
    this.#get(url);
    this.#started = true;
  }

  destroy(): void {
    this.#over = true;
    this.#release();
  }

  #get(url: URL): void {
    const secure = url.protocol === "https:";
    this.phase = isIP(url.hostname.replace(/^\[|\]$/g, "")) === 0 ? "dns" : "connect";
    const client = new Client(url.origin, {
      connect: (options, callback) => this.#open(secure, options, callback),
      // The link's one timer watches over both; quiet streams are its business too.
      headersTimeout: 0,
      bodyTimeout: 0,
      pipelining: 1,
    });
    this.#client = client;
    client.dispatch(
      { method: "GET", path: `${url.pathname}${url.search}`, headers: this.#headers(url) },
      this.#handler(client, url),
    );
  }

  #headers(url: URL): Record<string, string> {
    const headers: Record<string, string> = {};
    if (!this.#leftOrigin) {
      for (const [name, value] of Object.entries(this.#request.headers)) headers[name.toLowerCase()] = value;
      if (url.username !== "" || url.password !== "") {
        const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
        headers.authorization ??= `Basic ${Buffer.from(credentials).toString("base64")}`;
      }
    }
    headers.accept = "text/event-stream";
    // What fetch sends for a request that caches must not answer (Fetch, 4.6, cache mode `no-store`).
    headers["cache-control"] = "no-cache";
    if (this.#request.lastEventId !== "")
      headers["last-event-id"] = lastEventIdField(this.#request.lastEventId);
    return headers;
  }

  #open(secure: boolean, options: buildConnector.Options, callback: buildConnector.Callback): void {
    let answered = false;
    const answer = (error: Error | null, socket: Socket) => {
      if (answered) return;
      answered = true;
      if (error === null) callback(null, socket);
      else callback(error, null);
    };
    const socket = this.#connect(secure, options);
    this.#socket = socket;
    socket.once("lookup", () => this.#advance("connect"));
    socket.once("connect", () => this.#advance(secure ? "tls" : "headers"));
    if (secure) socket.once("secureConnect", () => this.#advance("headers"));
    socket.once(secure ? "secureConnect" : "connect", () => answer(null, socket));
    socket.once("error", (error) => answer(error, socket));
    // A socket that is destroyed before it is connected says nothing but this.
    socket.once("close", () =>
      answer(Object.assign(new Error("closed while connecting"), { code: "ECONNRESET" }), socket),
    );
    if (this.#over) socket.destroy();
  }

  #advance(phase: DialPhase): void {
    if (!this.#over) this.phase = phase;
  }

  #handler(client: Client, url: URL): Dispatcher.DispatchHandler {
    const isStale = () => this.#over || this.#client !== client;
    return {
      onRequestStart() {},
      onResponseStart: (_controller, status, headers) => {
        if (isStale() || status < 200) return;
        if (isRedirect(status)) this.#redirect(url, field(headers.location));
        else this.#answered(status, headers);
      },
      onResponseData: (_controller, chunk) => {
        if (!isStale() && this.phase === "open") this.#listener.data(chunk);
      },
      onResponseEnd: () => {
        if (!isStale()) this.#fail("ended", "the feed ended the stream");
      },
      onResponseError: (_controller, error) => {
        if (!isStale()) this.#fail(errorReason(error, this.phase), messageOf(error));
      },
    };
  }

  #answered(status: number, headers: Headers): void {
    const reason = statusReason(status);
    const type = field(headers["content-type"]);
    const encoding = field(headers["content-encoding"]) ?? "identity";
    if (reason !== null) {
      const after = retryAfterMs(field(headers["retry-after"]), this.#clock.nowMs());
      this.#fail(reason, `status ${status}`, after);
    } else if (!isEventStream(type)) {
      this.#fail("content_type", `content type ${quote(type ?? "")}`);
    } else if (encoding.trim().toLowerCase() !== "identity") {
      this.#fail("content_encoding", `content encoding ${quote(encoding)}`);
    } else {
      this.phase = "open";
      this.#listener.opened();
    }
  }

  /** Fetch, 4.4: again as a GET to where it says. A URL with credentials is refused there, too. */
  #redirect(from: URL, location: string | undefined): void {
    const to = location === undefined ? null : URL.parse(location, from);
    const fault =
      to === null
        ? "without a usable location"
        : to.protocol !== "http:" && to.protocol !== "https:"
          ? `to the scheme ${quote(to.protocol)}`
          : from.protocol === "https:" && to.protocol === "http:"
            ? "from HTTPS to HTTP"
            : to.username !== "" || to.password !== ""
              ? "to a URL with credentials"
              : this.#redirects >= REDIRECTS_MAX
                ? `number ${REDIRECTS_MAX + 1}`
                : null;
    if (to === null || fault !== null) {
      this.#fail("redirect", `redirect ${fault}`);
      return;
    }
    this.#redirects++;
    // Once away, they stay away, even if it leads back (Fetch, 4.4, removal of `Authorization`).
    if (to.origin !== this.#origin) this.#leftOrigin = true;
    this.#release();
    this.#get(to);
  }

  #fail(reason: LinkReason, message: string, retryAfterMs: number | null = null): void {
    const wasStarted = this.#started;
    this.destroy();
    const tell = () => this.#listener.failed({ reason, message, retryAfterMs });
    // undici refuses what it can't send at once: the caller must have the dial in hand before it hears of that.
    if (wasStarted) tell();
    else queueMicrotask(tell);
  }

  #release(): void {
    const client = this.#client;
    this.#client = null;
    // The socket first: undici would leave one that is still connecting to itself.
    this.#socket?.destroy();
    this.#socket = null;
    if (client !== null) void client.destroy().catch(() => {});
  }
}

type Headers = Parameters<NonNullable<Dispatcher.DispatchHandler["onResponseStart"]>>[2];

function field(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function isRedirect(status: number): boolean {
  return status === 301 || status === 302 || status === 303 || status === 307 || status === 308;
}

/** Parameters don't matter: the stream is UTF-8 whatever they say (WHATWG HTML, 9.2.5). */
function isEventStream(type: string | undefined): boolean {
  return type?.split(";", 1)[0]?.trim().toLowerCase() === "text/event-stream";
}

function quote(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}
