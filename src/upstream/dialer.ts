import type { Clock } from "#base/clock.ts";
import { type ConnectionSource, Connections } from "./connections.ts";
import { HeldDial } from "./held-dial.ts";
import { sessionPace } from "./http2-health.ts";
import type { DialPhase, LinkReason } from "./link-reason.ts";
import type { FeedTls } from "./ports.ts";
import { StreamDial } from "./stream-dial.ts";
import { TlsContexts } from "./tls-contexts.ts";

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
  /** Ends it now: its socket, or its stream where that is one of several on a socket. Idempotent. */
  destroy(): void;
}

export interface DialerOptions {
  /** Default null: the system's roots, no client certificate. */
  readonly tls?: FeedTls | null;
  /** How long a stream may be silent, in milliseconds: half-open sessions are found earlier. Default 45,000. */
  readonly idleTimeoutMs?: number;
  /** Default: sockets. */
  readonly connections?: ConnectionSource | undefined;
  /** Streams that the feed is to see at once; default: as many as there are. See `LET_GO_MS`. */
  readonly atOnceMax?: number;
}

/**
 * A stream that was closed to make room for another is given so long to be seen as closed, in milliseconds: a feed that
 * accepts the new connection before it reads the old one's end would count one too many.
 */
const LET_GO_MS = 25;

/**
 * Opens a feed's event streams: over HTTP/2, several on one socket, where the origin offers it (ALPN), else over
 * HTTP/1.1, each on a socket of its own.
 */
export class Dialer {
  readonly #clock: Clock;
  readonly #connections: ConnectionSource;
  readonly #atOnceMax: number;
  /** Dials that are not over. */
  readonly #dials = new Set<Dial>();
  /** When streams were closed by our own wish, the oldest first, while it counts. */
  readonly #closedAtMs: number[] = [];

  constructor(
    clock: Clock,
    {
      tls = null,
      idleTimeoutMs = 45_000,
      connections,
      atOnceMax = Number.POSITIVE_INFINITY,
    }: DialerOptions = {},
  ) {
    this.#clock = clock;
    this.#atOnceMax = atOnceMax;
    this.#connections =
      connections ?? new Connections(clock, new TlsContexts(tls), sessionPace(idleTimeoutMs));
  }

  /** Sockets that are not closed yet, connecting ones included. */
  get sockets(): number {
    return this.#connections.sockets;
  }

  /** HTTP/2 sessions that are not over yet; each has one of the sockets. */
  get sessions(): number {
    return this.#connections.sessions;
  }

  dial(request: DialRequest, listener: DialListener): Dial {
    const begin = () => new StreamDial(request, told, this.#clock, this.#connections);
    const told: DialListener = {
      opened: () => listener.opened(),
      data: (chunk) => listener.data(chunk),
      failed: (failure) => {
        this.#dials.delete(dial);
        listener.failed(failure);
      },
    };
    const waitMs = this.#holdMs();
    const inner = waitMs > 0 ? new HeldDial(this.#clock, waitMs, begin) : begin();
    const dial: Dial = {
      get phase() {
        return inner.phase;
      },
      destroy: () => {
        if (this.#dials.delete(dial) && inner.phase !== "dns")
          this.#closedAtMs.push(this.#clock.monotonicMs());
        inner.destroy();
      },
    };
    this.#dials.add(dial);
    return dial;
  }

  /** How long another stream has to wait so that the feed never sees too many, in milliseconds. */
  #holdMs(): number {
    const nowMs = this.#clock.monotonicMs();
    while (this.#closedAtMs.length > 0 && (this.#closedAtMs[0] as number) + LET_GO_MS <= nowMs)
      this.#closedAtMs.shift();
    const tooMany = this.#dials.size + this.#closedAtMs.length + 1 - this.#atOnceMax;
    const last = this.#closedAtMs[Math.min(tooMany, this.#closedAtMs.length) - 1];
    return last === undefined ? 0 : last + LET_GO_MS - nowMs;
  }

  /** Ends what is shared or kept for later, and resolves when the last socket is closed. Whoever dialled destroys the dials. */
  drained(): Promise<void> {
    return this.#connections.close();
  }
}

/** Where a URL leads, without what may be secret in it: credentials, query and fragment. For logs. */
export function redactUrl(url: string): string {
  const parsed = URL.parse(url);
  return parsed === null ? "(not a URL)" : `${parsed.origin}${parsed.pathname}`;
}
