import { createHmac, randomBytes } from "node:crypto";
import { isIPv6 } from "node:net";
import { RateLimiterMemory, RateLimiterRes } from "rate-limiter-flexible";
import { AuthError } from "./auth-error.ts";

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

/**
 * Slows the guessing of passwords. An attempt is counted before the password is checked, so that a thousand at once
 * count as a thousand, and taken back when it succeeds. A name is never locked for everybody: then anyone could lock
 * anyone out.
 */
export class LoginThrottle {
  readonly #perUser: RateLimiterMemory;
  readonly #perAddress: RateLimiterMemory;
  /** Keyed by chance, so that nobody can choose names that fall together with another's. */
  readonly #secret = randomBytes(32);

  constructor(bounds: Partial<ThrottleBounds> = {}) {
    const { perUserAndAddress, perAddress, windowS } = { ...THROTTLE_BOUNDS, ...bounds };
    this.#perUser = new RateLimiterMemory({ points: perUserAndAddress, duration: windowS });
    this.#perAddress = new RateLimiterMemory({ points: perAddress, duration: windowS });
  }

  /** Throws `AuthError` `too_many_attempts` with the seconds to wait. `name` null: an attempt without a name. */
  async begin(name: string | null, address: string): Promise<Attempt> {
    const network = networkOf(address);
    const keys: [RateLimiterMemory, string][] = [[this.#perAddress, this.#bucket("address", network)]];
    if (name !== null) keys.push([this.#perUser, this.#bucket("user", network, name)]);
    for (const [limiter, key] of keys) await consume(limiter, key);
    return {
      succeeded: async () => {
        for (const [limiter, key] of keys) {
          if (limiter === this.#perUser) await limiter.delete(key);
          else await limiter.reward(key, 1);
        }
      },
      abandoned: async () => {
        for (const [limiter, key] of keys) await limiter.reward(key, 1);
      },
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
  /** They were not looked at: nothing is counted. */
  abandoned(): Promise<void>;
}

async function consume(limiter: RateLimiterMemory, key: string): Promise<void> {
  try {
    await limiter.consume(key);
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal;
    const retryAfterS = Math.max(1, Math.ceil(refusal.msBeforeNext / 1000));
    throw new AuthError("too_many_attempts", `too many failed attempts: wait ${retryAfterS} s`, {
      retryAfterS,
    });
  }
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
