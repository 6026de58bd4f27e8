import type { Clock } from "#base/clock.ts";
import { AuthError } from "./auth-error.ts";
import type { SessionRecord, SessionStore } from "./ports.ts";
import {
  newRefreshToken,
  nextRefreshToken,
  parseRefreshToken,
  type RefreshToken,
  sameHash,
} from "./refresh-token.ts";
import type { Revocations } from "./revocations.ts";

/**
 * For this long after a refresh the token that it replaced is taken once more, in milliseconds: an answer that was
 * lost on its way must not sign its client out. Of two holders one is still found out, at the refresh after.
 */
const RETRY_WINDOW_MS = 10_000;
/**
 * Sessions of one user that can be refreshed, those used last. A WebSocket client that signs in with a password begins a
 * new one at each reconnect, and the old one would stay until `refreshTokenTtl` is over.
 */
export const SESSIONS_MAX = 1_000;
/** How often a refresh looks again when another was faster. */
const RACES_MAX = 3;

export interface RefreshedSession {
  readonly user: string;
  readonly sessionId: string;
  readonly refreshToken: string;
}

/** Sessions from sign-in to sign-out: refresh tokens are for one use, and using one twice ends the session. */
export class Sessions {
  readonly #store: SessionStore;
  readonly #revocations: Revocations;
  readonly #clock: Clock;

  constructor(store: SessionStore, revocations: Revocations, clock: Clock) {
    this.#store = store;
    this.#revocations = revocations;
    this.#clock = clock;
  }

  async begin(user: string, ttlMs: number): Promise<RefreshedSession> {
    const { text, token } = newRefreshToken();
    const nowMs = this.#clock.nowMs();
    await this.#store.add({
      id: token.sessionId,
      user,
      familyHash: token.familyHash,
      tokenHash: token.tokenHash,
      previousTokenHash: null,
      createdMs: nowMs,
      rotatedMs: nowMs,
      expiresMs: nowMs + ttlMs,
      revokedMs: null,
    });
    await this.#store.endOldest(user, SESSIONS_MAX, nowMs);
    return { user, sessionId: token.sessionId, refreshToken: text };
  }

  /** @throws AuthError `invalid_refresh_token`, `refresh_token_reused` */
  async refresh(text: string, ttlMs: number): Promise<RefreshedSession> {
    for (let race = 0; race < RACES_MAX; race++) {
      const { session, token } = await this.#sessionOf(text);
      const nowMs = this.#clock.nowMs();
      if (!isUsable(session, token, nowMs)) {
        await this.end(session.id, session.user);
        throw new AuthError(
          "refresh_token_reused",
          "this refresh token was used before: the session is ended",
        );
      }
      const next = nextRefreshToken(text);
      const change = { tokenHash: next.token.tokenHash, rotatedMs: nowMs, expiresMs: nowMs + ttlMs };
      if (await this.#store.rotate(session.id, session.tokenHash, change)) {
        return { user: session.user, sessionId: session.id, refreshToken: next.text };
      }
    }
    throw new AuthError("busy", "this session is being refreshed elsewhere", { retryAfterS: 1 });
  }

  async end(sessionId: string, user: string): Promise<void> {
    const atMs = this.#clock.nowMs();
    if (!(await this.#store.revoke(sessionId, atMs))) return;
    this.#revocations.add({ sessionId, tokenId: null, user, atMs, untilMs: null });
  }

  /** Ends the session of a refresh token, an old one included. An unknown one changes nothing. */
  async endByToken(text: string): Promise<void> {
    try {
      const { session } = await this.#sessionOf(text);
      await this.end(session.id, session.user);
    } catch (error) {
      if (!(error instanceof AuthError)) throw error;
    }
  }

  async endToken(tokenId: string, expiresMs: number): Promise<void> {
    const atMs = this.#clock.nowMs();
    await this.#store.revokeToken(tokenId, atMs, expiresMs);
    this.#revocations.add({ sessionId: null, tokenId, user: null, atMs, untilMs: expiresMs });
  }

  async #sessionOf(text: string): Promise<{ session: SessionRecord; token: RefreshToken }> {
    const token = parseRefreshToken(text);
    const session = token === null ? null : await this.#store.find(token.sessionId);
    const belongs = token !== null && session !== null && sameHash(session.familyHash, token.familyHash);
    if (!belongs || session.revokedMs !== null || session.expiresMs <= this.#clock.nowMs()) {
      throw new AuthError(
        "invalid_refresh_token",
        "the refresh token is not valid, or its session is over: sign in again",
      );
    }
    return { session, token };
  }
}

function isUsable(session: SessionRecord, token: RefreshToken, nowMs: number): boolean {
  if (sameHash(session.tokenHash, token.tokenHash)) return true;
  const previous = session.previousTokenHash;
  return (
    previous !== null && sameHash(previous, token.tokenHash) && nowMs - session.rotatedMs <= RETRY_WINDOW_MS
  );
}
