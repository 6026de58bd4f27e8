import { AuthError, type AuthErrorCode, type AuthMethod } from "#auth/auth-error.ts";
import type { Authenticator, Session } from "#auth/authenticator.ts";
import { grantsFromTexts, NO_GRANTS } from "#auth/grants.ts";
import type { Identity } from "#auth/identity.ts";
import { Tally } from "#base/counters.ts";
import type { World } from "./world.ts";

/** How long a token is good, in milliseconds. */
const TOKEN_TTL_MS = 3 * 3_600_000;
/** As the machines' clocks have it. */
type WallClock = { nowMs(): number };

/** Whoever shows `token <user> <time of issue>` is that user for a while: signatures and passwords are tested elsewhere. */
export class SimulatedAuthenticator implements Authenticator {
  readonly anonymous: Identity = {
    kind: "anonymous",
    user: "",
    role: null,
    subscribe: NO_GRANTS,
    publish: NO_GRANTS,
    admin: false,
    tokenId: null,
    sessionId: null,
    expiresAtMs: null,
  };
  readonly failures = new Tally<`${AuthMethod}:${AuthErrorCode}`>();
  readonly #clock: WallClock;
  readonly #everything = grantsFromTexts(["*"]);

  constructor(clock: WallClock) {
    this.#clock = clock;
  }

  async fromToken(token: string): Promise<Identity> {
    const [user, issued] = token.split(".");
    if (user === undefined || issued === undefined) return this.#refuse("invalid_token");
    const expiresAtMs = Number(issued) + TOKEN_TTL_MS;
    if (expiresAtMs <= this.#clock.nowMs()) return this.#refuse("token_expired");
    return {
      kind: "token",
      user,
      role: "simulated",
      subscribe: this.#everything,
      publish: this.#everything,
      admin: false,
      tokenId: token,
      sessionId: null,
      expiresAtMs,
    };
  }

  renewed(identity: Identity): Identity {
    return identity;
  }

  async login(): Promise<Session> {
    return this.#refuse("wrong_credentials");
  }

  async refresh(): Promise<Session> {
    return this.#refuse("invalid_refresh_token");
  }

  async logout(): Promise<void> {}

  jwks(): { keys: [] } {
    return { keys: [] };
  }

  onRevoked(): Disposable {
    return { [Symbol.dispose]() {} };
  }

  #refuse(code: AuthErrorCode): never {
    this.failures.add(`token:${code}`);
    throw new AuthError(code, code);
  }
}

/** A token as the authenticator reads it. */
export function tokenFor(user: string, world: World): string {
  return `${user}.${Math.floor(world.wallMs)}`;
}
