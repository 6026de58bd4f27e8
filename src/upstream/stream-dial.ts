import type { Clock } from "#base/clock.ts";
import type { Claim, Claimant } from "./claim.ts";
import type { ConnectionSource } from "./connections.ts";
import type { Dial, DialListener, DialRequest } from "./dialer.ts";
import { lastEventIdField } from "./event-stream.ts";
import type { Exchange, ExchangeEnd, ExchangeHeaders, ExchangeListener } from "./exchange.ts";
import { type DialPhase, type LinkReason, statusReason } from "./link-reason.ts";
import { retryAfterMs } from "./retry-after.ts";

/** As many as the Fetch standard allows (4.4, "HTTP-redirect fetch"). */
const REDIRECTS_MAX = 20;

/** How often a peer may have the request once more at once, before the link waits as after any other failure. */
const AGAIN_MAX = 2;

/** One dial: the request, its redirects, and the judgement on what answers it. */
export class StreamDial implements Dial {
  readonly #request: DialRequest;
  readonly #origin: string;
  readonly #listener: DialListener;
  readonly #clock: Clock;
  readonly #connections: ConnectionSource;
  /** What is under way: a connection, then the request on it. Only the last one's callbacks count. */
  #leg: Leg | null = null;
  #isOpen = false;
  #redirects = 0;
  #again = 0;
  #http2 = true;
  #leftOrigin = false;
  #started = false;

  constructor(request: DialRequest, listener: DialListener, clock: Clock, connections: ConnectionSource) {
    this.#request = request;
    this.#listener = listener;
    this.#clock = clock;
    this.#connections = connections;
    const url = new URL(request.url);
    this.#origin = url.origin;
    this.#get(url);
    this.#started = true;
  }

  get phase(): DialPhase | "open" {
    return this.#isOpen ? "open" : (this.#leg?.phase ?? "headers");
  }

  destroy(): void {
    const leg = this.#leg;
    this.#leg = null;
    leg?.destroy();
  }

  #get(url: URL): void {
    this.destroy();
    const leg: Leg = new Leg({
      granted: (carrier) => {
        if (this.#leg === leg)
          leg.run(carrier.request({ url, headers: this.#headers(url) }, this.#exchange(leg, url)));
      },
      refused: (end) => this.#over(leg, url, end),
    });
    this.#leg = leg;
    leg.begin((claimant) =>
      this.#connections.claim(url, { certified: !this.#leftOrigin, http2: this.#http2 }, claimant),
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

  #exchange(leg: Leg, url: URL): ExchangeListener {
    return {
      answered: (status, headers) => {
        if (this.#leg !== leg) return;
        if (isRedirect(status)) this.#redirect(url, field(headers.location));
        else this.#answered(status, headers);
      },
      data: (chunk) => {
        if (this.#isOpen && this.#leg === leg) this.#listener.data(chunk);
      },
      over: (end) => this.#over(leg, url, end),
    };
  }

  #answered(status: number, headers: ExchangeHeaders): void {
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
      this.#isOpen = true;
      this.#listener.opened();
    }
  }

  #over(leg: Leg, url: URL, { reason, message, again }: ExchangeEnd): void {
    if (this.#leg !== leg) return;
    if (again === "no" || this.#isOpen || this.#again >= AGAIN_MAX) {
      this.#fail(reason, message);
      return;
    }
    this.#again++;
    if (again === "http1") this.#http2 = false;
    this.#get(url);
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
    this.#get(to);
  }

  #fail(reason: LinkReason, message: string, retryAfterMs: number | null = null): void {
    this.destroy();
    const tell = () => this.#listener.failed({ reason, message, retryAfterMs });
    // What can't be sent is refused at once: the caller must have the dial in hand before it hears of that.
    if (this.#started) tell();
    else queueMicrotask(tell);
  }
}

/** A connection that is waited for, then a request on it. Either may be there, or be over, before it is in hand. */
class Leg {
  readonly #claimant: Claimant;
  #claim: Claim | null = null;
  #exchange: Exchange | null = null;
  #over = false;

  constructor(claimant: Claimant) {
    this.#claimant = claimant;
  }

  get phase(): DialPhase {
    return this.#exchange === null ? (this.#claim?.phase ?? "dns") : "headers";
  }

  begin(claim: (claimant: Claimant) => Claim): void {
    this.#claim = claim(this.#claimant);
  }

  run(exchange: Exchange): void {
    this.#exchange = exchange;
    if (this.#over) exchange.destroy();
  }

  destroy(): void {
    this.#over = true;
    this.#claim?.leave();
    this.#exchange?.destroy();
  }
}

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
