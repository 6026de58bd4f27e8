import { createHmac, randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { AuthError, type AuthErrorCode } from "./auth-error.ts";

export interface ThrottleBounds {
  /** Failures of one user name from one address, within the window. Default 10. */
  readonly perUserAndAddress: number;
  /** Failures from one address, or one IPv6 /64, whatever the names. Default 100. */
  readonly perAddress: number;
  /** The window, in seconds, from the first failure on. Default 900. */
  readonly windowS: number;
}

export const THROTTLE_BOUNDS: ThrottleBounds = { perUserAndAddress: 10, perAddress: 100, windowS: 900 };

/** Counters are folded into this many: their number is bounded, whatever names and addresses come. */
const BUCKETS = 2 ** 16;

/** Seconds to wait while attempts under way fill a bound: each of them ends soon, and most may turn out good. */
const UNDER_WAY_S = 1;

/** What a guess ends with. Everything else says nothing of the credentials: they were not looked at, or were good. */
const FAILED: ReadonlySet<AuthErrorCode> = new Set<AuthErrorCode>([
  "wrong_credentials",
  "invalid_refresh_token",
  "refresh_token_reused",
]);

/**
 * Slows the guessing of passwords. An attempt is counted before the password is checked, so that a thousand at once
 * count as a thousand, and taken back unless it fails; one that is refused is no failure, and counts for nothing. A name
 * is never locked for everybody: then anyone could lock anyone out.
 */
export class LoginThrottle {
  readonly #perUser: Bound;
  readonly #perAddress: Bound;
  /** Keyed by chance, so that nobody can choose names that fall together with another's. */
  readonly #secret = randomBytes(32);

  constructor(bounds: Partial<ThrottleBounds> = {}) {
    const { perUserAndAddress, perAddress, windowS } = { ...THROTTLE_BOUNDS, ...bounds };
    this.#perUser = new Bound(perUserAndAddress, windowS);
    this.#perAddress = new Bound(perAddress, windowS);
  }

  /**
   * Gives what `check` does, and counts a failure where it rejects for wrong credentials. Rejects with `AuthError`
   * `too_many_attempts`, and the seconds to wait, instead of checking too many. `name` null: an attempt without a name.
   */
  async attempt<Result>(name: string | null, address: string, check: () => Promise<Result>): Promise<Result> {
    const attempt = await this.begin(name, address);
    let result: Result;
    try {
      result = await check();
    } catch (error) {
      if (error instanceof AuthError && FAILED.has(error.code)) attempt.failed();
      else await attempt.abandoned();
      throw error;
    }
    await attempt.succeeded();
    return result;
  }

  /** Of the attempt one end must be called, once. Throws as `attempt` does. */
  async begin(name: string | null, address: string): Promise<Attempt> {
    const network = networkOf(address);
    const taken: [Bound, string][] = [];
    const giveBack = async () => {
      for (const [bound, key] of taken) await bound.giveBack(key);
    };
    const take = async (bound: Bound, key: string) => {
      try {
        await bound.take(key);
      } catch (refusal) {
        await giveBack();
        throw refusal;
      }
      taken.push([bound, key]);
    };
    await take(this.#perAddress, this.#bucket("address", network));
    if (name !== null) await take(this.#perUser, this.#bucket("user", network, name));
    return {
      succeeded: async () => {
        for (const [bound, key] of taken)
          await (bound === this.#perUser ? bound.forget(key) : bound.giveBack(key));
      },
      failed: () => {
        for (const [bound, key] of taken) bound.keep(key);
      },
      abandoned: giveBack,
    };
  }

  #bucket(...parts: string[]): string {
    const digest = createHmac("sha256", this.#secret).update(JSON.stringify(parts)).digest();
    return String(digest.readUInt32BE(0) % BUCKETS);
  }
}

export interface Attempt {
  /** The credentials were good: the name's failures are forgotten. */
  succeeded(): Promise<void>;
  /** They were wrong: the attempt stays counted. */
  failed(): void;
  /** They were not looked at: nothing is counted. */
  abandoned(): Promise<void>;
}

/** So many failures in a window for each key; attempts under way count as failures until they end otherwise. */
class Bound {
  readonly #failuresMax: number;
  readonly #limiter: RateLimiterMemory;
  /** Attempts that count and have not ended, refused ones among them until they are given back. */
  readonly #underWay = new Map<string, number>();

  constructor(failuresMax: number, windowS: number) {
    this.#failuresMax = failuresMax;
    this.#limiter = new RateLimiterMemory({ points: failuresMax, duration: windowS });
  }

  async take(key: string): Promise<void> {
    const underWay = (this.#underWay.get(key) ?? 0) + 1;
    this.#underWay.set(key, underWay);
    try {
      await this.#limiter.consume(key);
    } catch (refusal) {
      // The limiter counts what it refuses too: kept, it would lock out whoever has not failed once.
      await this.giveBack(key);
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      const failures = refusal.consumedPoints - underWay;
      throw failures < this.#failuresMax ? tooManyAtOnce() : tooManyFailed(refusal.msBeforeNext);
    }
  }

  /** The attempt counts no more. */
  async giveBack(key: string): Promise<void> {
    this.keep(key);
    await this.#limiter.reward(key, 1);
  }

  /** The attempt counts no more, nor do the failures before it. */
  async forget(key: string): Promise<void> {
    this.keep(key);
    await this.#limiter.delete(key);
  }

  /** The attempt has ended, and goes on counting. */
  keep(key: string): void {
    const underWay = (this.#underWay.get(key) ?? 0) - 1;
    if (underWay > 0) this.#underWay.set(key, underWay);
    else this.#underWay.delete(key);
  }
}

function tooManyFailed(waitMs: number): AuthError {
  const retryAfterS = Math.max(1, Math.ceil(waitMs / 1000));
  return new AuthError("too_many_attempts", `too many failed attempts: wait ${retryAfterS} s`, {
    retryAfterS,
  });
}

function tooManyAtOnce(): AuthError {
  return new AuthError("too_many_attempts", `too many attempts at once: wait ${UNDER_WAY_S} s`, {
    retryAfterS: UNDER_WAY_S,
  });
}

/** An IPv6 host has a whole /64 to choose addresses from, so it counts as one. */
function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address);
  if (mapped !== null) return mapped[1] as string;
  const [head = "", tail] = (address.split("%")[0] as string).split("::");
  const leading = head === "" ? [] : head.split(":");
  const trailing = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - leading.length - trailing.length);
  const groups = [...leading, ...new Array<string>(zeros).fill("0"), ...trailing];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":");
}
