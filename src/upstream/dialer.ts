import type { Clock } from "#base/clock.ts";
import { type ConnectionSource, Connections } from "./connections.ts";
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
}

/**
 * Opens a feed's event streams: over HTTP/2, several on one socket, where the origin offers it (ALPN), else over
 * HTTP/1.1, each on a socket of its own.
 */
export class Dialer {
  readonly #clock: Clock;
  readonly #connections: ConnectionSource;

  constructor(clock: Clock, { tls = null, idleTimeoutMs = 45_000, connections }: DialerOptions = {}) {
    this.#clock = clock;
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
    return new StreamDial(request, listener, this.#clock, this.#connections);
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
