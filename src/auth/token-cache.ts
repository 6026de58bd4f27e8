import { createHash } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { VerifiedToken } from "./access-token.ts";
import type { Identity } from "./identity.ts";

/** Most tokens remembered as good. */
const REMEMBERED_MAX = 4096;
/** How long at most, in milliseconds: an issuer that withdraws a key is believed after this. */
const REMEMBER_MS = 60_000;

export interface KnownToken {
  readonly verified: VerifiedToken;
  readonly identity: Identity;
}

/**
 * Tokens that were just found good, so that a storm of clients that come back with the tokens they had is not a storm
 * of signatures to check. Held by their hash; expiry and revocation are still checked each time.
 */
export class TokenCache {
  readonly #clock: Clock;
  readonly #known = new Map<string, KnownToken & { untilMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  static keyOf(token: string): string {
    return createHash("sha256").update(token).digest("base64");
  }

  find(key: string): KnownToken | null {
    const known = this.#known.get(key);
    if (known === undefined) return null;
    if (known.untilMs > this.#clock.nowMs()) return known;
    this.#known.delete(key);
    return null;
  }

  remember(key: string, known: KnownToken): void {
    if (this.#known.size >= REMEMBERED_MAX) this.#known.delete(this.#known.keys().next().value as string);
    const untilMs = Math.min(known.verified.expiresAtMs, this.#clock.nowMs() + REMEMBER_MS);
    this.#known.set(key, { ...known, untilMs });
  }

  clear(): void {
    this.#known.clear();
  }
}
