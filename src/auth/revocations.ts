import type { Clock, Timer } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { RevocationFilter } from "./identity.ts";
import type { Revocation, SessionStore } from "./ports.ts";

/** How often the database is asked what other processes revoked, in milliseconds. */
export const POLL_EVERY_MS = 2_000;
/** Looked at again at each poll, in milliseconds: other processes' clocks differ, and transactions end late. */
const OVERLAP_MS = 60_000;
/** A revoked session is remembered for as long as an access token may live, in milliseconds (`accessTokenTtl` ≤ 1d). */
export const REMEMBER_MS = 86_400_000;
const PRUNE_EVERY_MS = 3_600_000;
/** Revocations read at once. */
const PAGE = 10_000;
/** Most revocations held in memory; see `#floorMs` for what happens above. */
const HELD_MAX = 100_000;

/**
 * What was revoked before its time: in memory, so that checking a token asks no database, and followed there, so that
 * `streamkeeper user disable` in another process reaches the connections of this one.
 */
export class Revocations implements AsyncDisposable {
  readonly #sessions: SessionStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Until when each revoked session or token must be refused, by its id; in order of arrival. */
  readonly #untilMs = new Map<string, number>();
  readonly #listeners = new Set<(filter: RevocationFilter) => void>();
  readonly #heldMax: number;
  /** Tokens issued up to here are refused: the oldest revocations had to be forgotten. Fails closed; a refresh cures it. */
  #floorMs = Number.NEGATIVE_INFINITY;
  #seenMs = 0;
  #prunedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;
  #polling: Promise<void> | null = null;
  #failing = false;
  #closed = false;

  constructor(options: { sessions: SessionStore; clock: Clock; log: Logger; heldMax?: number }) {
    this.#sessions = options.sessions;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#heldMax = options.heldMax ?? HELD_MAX;
  }

  /** Reads what is revoked, and follows it until closed. Rejects when the database cannot be read. */
  async open(): Promise<void> {
    await this.#read();
    this.#arm();
  }

  get held(): number {
    return this.#untilMs.size;
  }

  /** Whether one of our tokens must be refused. Any of the ids may be null. */
  isRevoked(token: { sessionId: string | null; tokenId: string | null; issuedAtMs: number }): boolean {
    if (token.issuedAtMs <= this.#floorMs) return true;
    return this.#holds(token.sessionId) || this.#holds(token.tokenId);
  }

  /** Takes in a revocation that this process has just stored, and tells the listeners. */
  add(revocation: Revocation): void {
    const id = revocation.sessionId ?? revocation.tokenId;
    if (id === null || this.#untilMs.has(id)) return;
    const untilMs = revocation.untilMs ?? revocation.atMs + REMEMBER_MS;
    if (untilMs <= this.#clock.nowMs()) return;
    this.#untilMs.set(id, untilMs);
    if (this.#untilMs.size > this.#heldMax) this.#forgetOldest();
    const filter: RevocationFilter = {
      ...(revocation.user === null ? {} : { user: revocation.user }),
      ...(revocation.sessionId === null ? {} : { sessionId: revocation.sessionId }),
      ...(revocation.tokenId === null ? {} : { tokenId: revocation.tokenId }),
    };
    for (const listener of this.#listeners) listener(filter);
  }

  onRevoked(listener: (filter: RevocationFilter) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /** Asks the database now. One at a time: whoever asks meanwhile gets the same answer. Never rejects. */
  poll(): Promise<void> {
    this.#polling ??= this.#pollOnce().finally(() => {
      this.#polling = null;
    });
    return this.#polling;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#listeners.clear();
    await this.#polling;
  }

  async #pollOnce(): Promise<void> {
    try {
      await this.#read();
      if (this.#failing) this.#log.info({}, "revocations are followed again");
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        this.#log.warn({ err: messageOf(error) }, "the database cannot tell what was revoked; trying on");
      }
      this.#failing = true;
    }
  }

  async #read(): Promise<void> {
    const nowMs = this.#clock.nowMs();
    if (nowMs - this.#prunedMs >= PRUNE_EVERY_MS) {
      this.#prunedMs = nowMs;
      await this.#sessions.prune(nowMs - REMEMBER_MS);
      for (const [id, untilMs] of this.#untilMs) {
        if (untilMs <= nowMs) this.#untilMs.delete(id);
      }
    }
    for (let sinceMs = this.#seenMs; ; ) {
      const page = await this.#sessions.revocationsSince(sinceMs, PAGE);
      for (const revocation of page) this.add(revocation);
      const lastMs = page.at(-1)?.atMs;
      if (lastMs === undefined || page.length < PAGE) break;
      // A whole page of one instant hides what comes after it, so all that was issued before is refused.
      if (lastMs === sinceMs) this.#floorMs = Math.max(this.#floorMs, lastMs);
      sinceMs = lastMs === sinceMs ? lastMs + 1 : lastMs;
    }
    this.#seenMs = Math.max(this.#seenMs, nowMs - OVERLAP_MS);
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer = this.#clock.after(POLL_EVERY_MS, () => {
      void this.poll().then(() => this.#arm());
    });
  }

  #holds(id: string | null): boolean {
    if (id === null) return false;
    const untilMs = this.#untilMs.get(id);
    return untilMs !== undefined && untilMs > this.#clock.nowMs();
  }

  #forgetOldest(): void {
    const oldest = this.#untilMs.keys().next().value;
    if (oldest !== undefined) this.#untilMs.delete(oldest);
    this.#floorMs = this.#clock.nowMs();
  }
}
