/**
 * When a WebSocket connection is to be pinged, given up or sent away: the protocol's own clockwork, without a clock.
 * Times are monotonic, in milliseconds; null: does not apply.
 *
 *     connecting ──connected──> pings every interval ──> each pong in time, or no_pong
 *         └─ stale when not connected in time            └─ expired when the sign-in is over
 */
export interface LivenessBounds {
  readonly intervalMs: number;
  /** How long a pong may take. */
  readonly timeoutMs: number;
}

/** How long a client may take to connect in the protocol's sense, from the handshake on. */
export const CONNECT_TIMEOUT_MS = 10_000;

/** How long after the token's end a connection is kept, so that a refresh under way can succeed. */
export const EXPIRY_GRACE_MS = 25_000;

export type LivenessAction = "ping" | "no_pong" | "stale" | "expired" | "idle";

export class Liveness {
  readonly #bounds: LivenessBounds;
  #connectByMs: number | null;
  #pingAtMs: number | null = null;
  #pongByMs: number | null = null;
  #expiresAtMs: number | null = null;
  #idleAtMs: number | null = null;
  #unanswered = 0;

  constructor(bounds: LivenessBounds, nowMs: number) {
    this.#bounds = bounds;
    this.#connectByMs = nowMs + CONNECT_TIMEOUT_MS;
  }

  /** @param chance in [0, 1): spreads the first pings of clients that came together over half an interval */
  connected(nowMs: number, chance: number): void {
    this.#connectByMs = null;
    this.#pingAtMs = nowMs + (this.#bounds.intervalMs * (1 + chance)) / 2;
  }

  /** @param inMs until the sign-in ends; null: never */
  expiresIn(nowMs: number, inMs: number | null): void {
    this.#expiresAtMs = inMs === null ? null : nowMs + inMs + EXPIRY_GRACE_MS;
  }

  /** The client asked for something. @param idleMs how long it may be before `idle` is due */
  active(nowMs: number, idleMs: number): void {
    this.#idleAtMs = nowMs + idleMs;
  }

  /** A pong came. False: none was due, which breaks the protocol. */
  pong(nowMs: number): boolean {
    if (this.#unanswered === 0) return false;
    this.#unanswered--;
    this.#pongByMs = this.#unanswered === 0 ? null : nowMs + this.#bounds.timeoutMs;
    return true;
  }

  /** What is due by now, one at a time; null for nothing. A ping counts as sent. */
  due(nowMs: number): LivenessAction | null {
    if (isDue(this.#connectByMs, nowMs)) return "stale";
    if (isDue(this.#pongByMs, nowMs)) return "no_pong";
    if (isDue(this.#expiresAtMs, nowMs)) return "expired";
    if (isDue(this.#idleAtMs, nowMs)) {
      this.#idleAtMs = null;
      return "idle";
    }
    if (!isDue(this.#pingAtMs, nowMs)) return null;
    this.#pingAtMs = nowMs + this.#bounds.intervalMs;
    this.#pongByMs ??= nowMs + this.#bounds.timeoutMs;
    this.#unanswered++;
    return "ping";
  }

  /** When something is due next. */
  get nextMs(): number {
    return Math.min(
      this.#connectByMs ?? Number.POSITIVE_INFINITY,
      this.#pingAtMs ?? Number.POSITIVE_INFINITY,
      this.#pongByMs ?? Number.POSITIVE_INFINITY,
      this.#expiresAtMs ?? Number.POSITIVE_INFINITY,
      this.#idleAtMs ?? Number.POSITIVE_INFINITY,
    );
  }
}

function isDue(time: number | null, nowMs: number): boolean {
  return time !== null && time <= nowMs;
}
