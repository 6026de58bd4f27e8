import type { Clock, Timer } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { HeldRevocations } from "./held-revocations.ts";
import type { RevocationFilter } from "./identity.ts";
import type { Revocation, RevocationPlace, SessionStore } from "./ports.ts";

/** How often the database is asked what other processes revoked, in milliseconds. */
export const POLL_EVERY_MS = 2_000;
/** Looked at again at each poll, in milliseconds: other processes' clocks differ, and transactions end late. */
const OVERLAP_MS = 60_000;
/** A revoked session is remembered for as long as an access token may live, in milliseconds (`accessTokenTtl` ≤ 1d). */
export const REMEMBER_MS = 86_400_000;
/**
 * For so long after a session's last rotation some access token of it may live, in milliseconds. The greatest
 * `accessTokenTtl` there can be, not today's: a reload, a restart or another gateway's file may have shortened it since.
 * Ten minutes more for the way from the rotation to the signature, and for clocks that differ.
 */
export const TOKEN_LIFE_MS = REMEMBER_MS + 600_000;
const PRUNE_EVERY_MS = 3_600_000;
/** Revocations read, and told to the listeners, at once. */
export const PAGE = 2_000;
/** Most revocations of a kind held in memory; see `HeldRevocations` for what happens above. */
const HELD_MAX = 100_000;

/**
 * What was revoked before its time: in memory, so that checking a token asks no database, and followed there, so that
 * `streamkeeper user disable` in another process reaches the connections of this one.
 */
export class Revocations implements AsyncDisposable {
  readonly #sessions: SessionStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Apart, since they have no bearing on each other: a flood of one kind does not touch the other's tokens. */
  readonly #heldSessions: HeldRevocations;
  readonly #heldTokens: HeldRevocations;
  readonly #listeners = new Set<(filter: RevocationFilter) => void>();
  #seenMs = 0;
  #prunedMs = Number.NEGATIVE_INFINITY;
  #timer: Timer | null = null;
  #polling: Promise<void> | null = null;
  /** The look after the one under way, when somebody has asked for it. */
  #next: Promise<void> | null = null;
  #failing = false;
  #closed = false;

  constructor(options: { sessions: SessionStore; clock: Clock; log: Logger; heldMax?: number }) {
    this.#sessions = options.sessions;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#heldSessions = new HeldRevocations(options.heldMax ?? HELD_MAX);
    this.#heldTokens = new HeldRevocations(options.heldMax ?? HELD_MAX);
  }

  /** Reads what is revoked, and follows it until closed. Rejects when the database cannot be read. */
  async open(): Promise<void> {
    await this.#read();
    this.#arm();
  }

  get held(): number {
    return this.#heldSessions.size + this.#heldTokens.size;
  }

  /** Whether one of our tokens must be refused. Any of the ids may be null. */
  isRevoked(token: { sessionId: string | null; tokenId: string | null; issuedAtMs: number }): boolean {
    const { sessionId, tokenId, issuedAtMs } = token;
    const nowMs = this.#clock.nowMs();
    if (sessionId !== null && this.#heldSessions.refuses(sessionId, issuedAtMs, nowMs)) return true;
    if (tokenId === null) return false;
    // Tokens of a session end with it, and not by themselves.
    return sessionId === null
      ? this.#heldTokens.refuses(tokenId, issuedAtMs, nowMs)
      : this.#heldTokens.holds(tokenId, nowMs);
  }

  /** Takes in a revocation that this process has just stored, and tells the listeners. */
  add(revocation: Revocation): void {
    this.#addAll([revocation]);
  }

  /** Calls back with what was revoked, many at once where many were. */
  onRevoked(listener: (filter: RevocationFilter) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  /**
   * Asks the database now; one look at a time. Who asks during one gets the answer of the next, since that one may have
   * read before what the caller has just stored. Never rejects.
   */
  poll(): Promise<void> {
    if (this.#polling === null) return this.#look();
    this.#next ??= this.#polling.then(() => {
      this.#next = null;
      return this.#closed ? undefined : this.#look();
    });
    return this.#next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    this.#listeners.clear();
    await (this.#next ?? this.#polling);
  }

  #look(): Promise<void> {
    this.#polling = this.#pollOnce().finally(() => {
      this.#polling = null;
    });
    return this.#polling;
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
      this.#heldSessions.prune(nowMs);
      this.#heldTokens.prune(nowMs);
    }
    await this.#readPages((from) => this.#sessions.revokedSessions(from, PAGE, TOKEN_LIFE_MS));
    await this.#readPages((from) => this.#sessions.revokedTokens(from, PAGE));
    this.#seenMs = Math.max(this.#seenMs, nowMs - OVERLAP_MS);
  }

  async #readPages(read: (from: RevocationPlace) => Promise<readonly Revocation[]>): Promise<void> {
    for (let from: RevocationPlace = { atMs: this.#seenMs, id: null }; ; ) {
      const page = await read(from);
      this.#addAll(page);
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE) return;
      from = { atMs: last.atMs, id: last.sessionId ?? last.tokenId };
    }
  }

  /** The listeners look at every connection: once for all of these. */
  #addAll(revocations: readonly Revocation[]): void {
    const nowMs = this.#clock.nowMs();
    const sessionIds = new Set<string>();
    const tokenIds = new Set<string>();
    for (const { sessionId, tokenId, atMs, untilMs } of revocations) {
      const held = { atMs, untilMs: untilMs ?? atMs + REMEMBER_MS };
      if (sessionId !== null) {
        if (this.#heldSessions.add(sessionId, held, nowMs)) sessionIds.add(sessionId);
      } else if (tokenId !== null && this.#heldTokens.add(tokenId, held, nowMs)) tokenIds.add(tokenId);
    }
    if (sessionIds.size + tokenIds.size === 0) return;
    for (const listener of this.#listeners) listener({ sessionIds, tokenIds });
  }

  #arm(): void {
    if (this.#closed) return;
    this.#timer = this.#clock.after(POLL_EVERY_MS, () => {
      void this.poll().then(() => this.#arm());
    });
  }
}
