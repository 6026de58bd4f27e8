import { hash } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { Identity } from "./identity.ts";

/**
 * Most tokens remembered as good: more than `limits.connections` has by default, since of clients that come back in a
 * circle a smaller cache would remember none. Some 300 bytes each.
 */
const REMEMBERED_MAX = 32_768;
/** How long a trusted issuer's token is remembered at most, in milliseconds: one that withdraws a key is believed after this. */
export const REMEMBER_MS = 60_000;
/**
 * The same for a token of our own, whose keys are not withdrawn while we run: all the life that it has by default, so that
 * clients that were connected for long and come back together cost no signatures either.
 */
export const REMEMBER_OWN_MS = 15 * 60_000;

export interface KnownToken {
  readonly identity: Identity;
  /** In milliseconds since the Unix epoch. */
  readonly issuedAtMs: number;
}

/**
 * Tokens that were just found good, so that a storm of clients that come back with the tokens they had is not a storm
 * of signatures to check. Held by their hash; expiry and revocation are still checked each time.
 */
export class TokenCache {
  readonly #clock: Clock;
  readonly #rememberMs: number;
  readonly #max: number;
  /** In the order of their coming, which is nearly that of their ends. */
  readonly #known = new Map<string, KnownToken & { untilMs: number }>();

  /**
   * @param rememberMs how long at most
   * @param max most tokens remembered; default 32,768
   */
  constructor(clock: Clock, rememberMs: number, max = REMEMBERED_MAX) {
    this.#clock = clock;
    this.#rememberMs = rememberMs;
    this.#max = max;
  }

  get size(): number {
    return this.#known.size;
  }

  static keyOf(token: string): string {
    return hash("sha256", token, "base64");
  }

  find(key: string): KnownToken | null {
    const nowMs = this.#clock.nowMs();
    this.#forget(nowMs, this.#max);
    const known = this.#known.get(key);
    // A token that ends early may stand behind others that do not.
    return known !== undefined && known.untilMs > nowMs ? known : null;
  }

  /** @param expiresAtMs when the token ends, in milliseconds since the Unix epoch */
  remember(key: string, { identity, issuedAtMs }: KnownToken, expiresAtMs: number): void {
    const nowMs = this.#clock.nowMs();
    // Taken out first, so that it stands last again.
    this.#known.delete(key);
    this.#forget(nowMs, this.#max - 1);
    const untilMs = Math.min(expiresAtMs, nowMs + this.#rememberMs);
    this.#known.set(key, { identity, issuedAtMs, untilMs });
  }

  clear(): void {
    this.#known.clear();
  }

  /** The oldest go, as far as they are past their time or too many: what a storm left does not stay. */
  #forget(nowMs: number, max: number): void {
    for (const [oldest, { untilMs }] of this.#known) {
      if (untilMs > nowMs && this.#known.size <= max) break;
      this.#known.delete(oldest);
    }
  }
}
