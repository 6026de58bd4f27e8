import type { JSONWebKeySet } from "jose";
import type { Clock } from "#base/clock.ts";
import { Tally } from "#base/counters.ts";
import type { Logger } from "#base/logger.ts";
import { signAccessToken, type TokenContext, type VerifiedToken, verifyAccessToken } from "./access-token.ts";
import { AuthError, type AuthErrorCode, type AuthMethod } from "./auth-error.ts";
import type { Authenticator, Origin, Session } from "./authenticator.ts";
import { grantsOfDetails } from "./authorization-details.ts";
import type { Identity, RevocationFilter } from "./identity.ts";
import { LoginThrottle, type ThrottleBounds } from "./login-throttle.ts";
import { grantsOfMercureClaim } from "./mercure-claim.ts";
import { HASH_COST, type HashCost, hashPassword, isOutdated, verifyPassword } from "./passwords.ts";
import type { KeyStore, SessionStore, UserRecord, UserStore } from "./ports.ts";
import { Revocations } from "./revocations.ts";
import { Sessions } from "./sessions.ts";
import { type AuthSettings, anonymousOf, type Role, rolesOf } from "./settings.ts";
import { openSigningKeys, type SigningKeys } from "./signing-keys.ts";
import { type KnownToken, REMEMBER_MS, REMEMBER_OWN_MS, TokenCache } from "./token-cache.ts";
import { type IssuerKeys, issuerKeys } from "./trusted-issuers.ts";
import { WorkGate } from "./work-gate.ts";

export interface AuthenticatorOptions {
  readonly settings: AuthSettings;
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly keys: KeyStore;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether trusted issuers' tokens may be of the older Mercure draft. Default false. */
  readonly mercure07?: boolean;
  /** Default `THROTTLE_BOUNDS`. */
  readonly throttle?: Partial<ThrottleBounds>;
  /** Passwords checked at once, each on a thread of its own and in `memory` of its own; default 2 of Node's 4 threads. */
  readonly passwordsAtOnce?: number;
  /** Sign-ins that wait for their turn; default 128, some two seconds' worth. */
  readonly passwordsWaiting?: number;
  /** What a new password hash costs. Default `HASH_COST`. */
  readonly hashCost?: HashCost;
}

/** The `Authenticator` of a gateway: users of the database, our own tokens, and trusted issuers' tokens. */
export class GatewayAuthenticator implements Authenticator, AsyncDisposable {
  readonly failures = new Tally<`${AuthMethod}:${AuthErrorCode}`>();
  readonly #users: UserStore;
  readonly #clock: Clock;
  readonly #keys: SigningKeys;
  readonly #sessions: Sessions;
  readonly #revocations: Revocations;
  readonly #throttle: LoginThrottle;
  readonly #gate: WorkGate;
  readonly #hashCost: HashCost;
  readonly #known: Readonly<Record<VerifiedToken["origin"], TokenCache>>;
  readonly #mercure07: boolean;
  /** Verified in place of an unknown user's hash, so that both take the same way and the same time. */
  readonly #decoyHash: string;
  #settings: AuthSettings;
  #roles: ReadonlyMap<string, Role>;
  #anonymous: Identity;
  #context: TokenContext;

  private constructor(
    options: AuthenticatorOptions,
    keys: SigningKeys,
    revocations: Revocations,
    decoy: string,
  ) {
    this.#users = options.users;
    this.#clock = options.clock;
    this.#known = {
      own: new TokenCache(options.clock, REMEMBER_OWN_MS),
      other: new TokenCache(options.clock, REMEMBER_MS),
    };
    this.#keys = keys;
    this.#revocations = revocations;
    this.#sessions = new Sessions(options.sessions, revocations, options.clock);
    this.#throttle = new LoginThrottle(options.throttle);
    this.#gate = new WorkGate({
      runningMax: options.passwordsAtOnce ?? 2,
      waitingMax: options.passwordsWaiting ?? 128,
    });
    this.#hashCost = options.hashCost ?? HASH_COST;
    this.#mercure07 = options.mercure07 ?? false;
    this.#decoyHash = decoy;
    this.#settings = options.settings;
    this.#roles = rolesOf(options.settings);
    this.#anonymous = anonymousOf(options.settings);
    this.#context = this.#contextOf(options.settings);
  }

  /** Reads the keys (made on the very first start) and what is revoked. Rejects when the database fails. */
  static async open(options: AuthenticatorOptions): Promise<GatewayAuthenticator> {
    const { sessions, clock, log } = options;
    const keys = await openSigningKeys(options.keys, clock);
    const decoy = await hashPassword("nobody's password", options.hashCost ?? HASH_COST);
    const revocations = new Revocations({ sessions, clock, log });
    const authenticator = new GatewayAuthenticator(options, keys, revocations, decoy);
    // Last, since from here on there is a timer to stop.
    await revocations.open();
    return authenticator;
  }

  get anonymous(): Identity {
    return this.#anonymous;
  }

  /** Puts new settings in force. Identities that were given out keep their grants until they are `renewed`. Throws `MatcherError`. */
  reconfigure(settings: AuthSettings): void {
    const roles = rolesOf(settings);
    const anonymous = anonymousOf(settings);
    this.#settings = settings;
    this.#roles = roles;
    this.#anonymous = anonymous;
    this.#context = this.#contextOf(settings);
    this.#known.own.clear();
    this.#known.other.clear();
  }

  async fromToken(token: string): Promise<Identity> {
    try {
      const key = TokenCache.keyOf(token);
      return this.#unrevoked(
        this.#known.own.find(key) ?? this.#known.other.find(key) ?? (await this.#verified(token, key)),
      );
    } catch (error) {
      throw this.#counting("token", error);
    }
  }

  renewed(identity: Identity): Identity | null {
    if (identity.kind === "anonymous") return this.#anonymous;
    const { sessionId, tokenId } = identity;
    if (this.#revocations.isRevoked({ sessionId, tokenId, issuedAtMs: Number.POSITIVE_INFINITY }))
      return null;
    if (identity.role === null) return identity;
    const role = this.#roles.get(identity.role);
    if (role === undefined) return null;
    const { subscribe, publish, admin } = role;
    return subscribe === identity.subscribe ? identity : { ...identity, subscribe, publish, admin };
  }

  login(name: string, password: string, origin: Origin): Promise<Session> {
    return this.#counted("password", async () => {
      const user = await this.#throttle.attempt(name, origin.address, async () => {
        const found = await this.#users.find(name);
        const checking = this.#gate.run(() =>
          verifyPassword(password, found?.passwordHash ?? this.#decoyHash),
        );
        if (checking === null)
          throw new AuthError("busy", "too many sign-ins at once: try again in a second", { retryAfterS: 1 });
        const matches = await checking;
        if (found === null || !matches)
          throw new AuthError("wrong_credentials", "wrong user name or password");
        return found;
      });
      // Told only to whoever knows the password.
      if (user.disabled) throw new AuthError("disabled", "this user is disabled");
      const role = this.#roleOf(user);
      const passwordHash = await this.#renewedHash(user, password);
      const { refreshToken, sessionId } = await this.#sessions.begin(
        user.name,
        this.#settings.refreshTokenTtlMs,
      );
      // An operator who has changed the user meanwhile has ended the sessions that were there, and this one was not.
      let isUnchanged = false;
      try {
        isUnchanged = await this.#isUnchanged({ ...user, passwordHash }, password);
      } finally {
        if (!isUnchanged) await this.#sessions.end(sessionId, user.name);
      }
      if (!isUnchanged) {
        throw new AuthError("wrong_credentials", "this user was changed during the sign-in: sign in again");
      }
      return this.#sessionFor(user, role, sessionId, refreshToken);
    });
  }

  refresh(refreshToken: string, origin: Origin): Promise<Session> {
    return this.#counted("refresh", async () => {
      const next = await this.#throttle.attempt(null, origin.address, () =>
        this.#sessions.refresh(refreshToken, this.#settings.refreshTokenTtlMs),
      );
      const user = await this.#users.find(next.user);
      if (user === null || user.disabled) {
        await this.#sessions.end(next.sessionId, next.user);
        throw new AuthError("disabled", "this user is disabled or removed");
      }
      return this.#sessionFor(user, this.#roleOf(user), next.sessionId, next.refreshToken);
    });
  }

  async logout(who: Identity | string): Promise<void> {
    if (typeof who === "string") await this.#sessions.endByToken(who);
    else if (who.sessionId !== null) await this.#sessions.end(who.sessionId, who.user);
    else if (who.tokenId !== null)
      await this.#sessions.endToken(who.tokenId, who.expiresAtMs ?? this.#clock.nowMs());
  }

  jwks(): JSONWebKeySet {
    return this.#keys.jwks();
  }

  onRevoked(listener: (filter: RevocationFilter) => void): Disposable {
    return this.#revocations.onRevoked(listener);
  }

  /** Follows what other processes, or `Accounts` in this one, have just revoked. Else it is seen within seconds. */
  followRevocations(): Promise<void> {
    return this.#revocations.poll();
  }

  /** Idempotent. Stops following revocations; tokens can still be checked. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#revocations[Symbol.asyncDispose]();
  }

  async #verified(token: string, key: string): Promise<KnownToken> {
    const context = this.#context;
    const verified = await verifyAccessToken(token, context);
    // Other settings came into force while an issuer's keys were fetched: it may be trusted no more.
    if (context !== this.#context) return this.#verified(token, key);
    const known = { identity: this.#identityOf(verified), issuedAtMs: verified.issuedAtMs };
    this.#known[verified.origin].remember(key, known, verified.expiresAtMs);
    return known;
  }

  #unrevoked({ identity, issuedAtMs }: KnownToken): Identity {
    const { sessionId, tokenId } = identity;
    if (this.#revocations.isRevoked({ sessionId, tokenId, issuedAtMs })) {
      throw new AuthError("token_revoked", "the access token was revoked: sign in again");
    }
    return identity;
  }

  #identityOf(verified: VerifiedToken): Identity {
    const { subject: user, tokenId, expiresAtMs, payload } = verified;
    if (verified.origin === "other") {
      const { mercure, authorization_details: details } = payload;
      const isOld = this.#mercure07 && details === undefined && mercure !== undefined;
      const { subscribe, publish, payloads } = isOld
        ? grantsOfMercureClaim(mercure)
        : grantsOfDetails(details);
      const common = { kind: "token", user, role: null, subscribe, publish, admin: false } as const;
      return { ...common, tokenId, sessionId: null, expiresAtMs, payloads };
    }
    const role = typeof payload.role === "string" ? this.#roles.get(payload.role) : undefined;
    if (role === undefined) throw new AuthError("invalid_token", "the access token's role is not configured");
    const sessionId = typeof payload.sid === "string" ? payload.sid : null;
    const kind = sessionId === null ? "token" : "user";
    const { subscribe, publish, admin } = role;
    return { kind, user, role: role.name, subscribe, publish, admin, tokenId, sessionId, expiresAtMs };
  }

  async #sessionFor(user: UserRecord, role: Role, sessionId: string, refreshToken: string): Promise<Session> {
    const ttlMs = this.#settings.accessTokenTtlMs;
    const claims = { user: user.name, role: role.name, sessionId, ttlMs };
    const { token, verified } = await signAccessToken(claims, this.#context);
    return {
      accessToken: token,
      expiresInS: (verified.expiresAtMs - verified.issuedAtMs) / 1000,
      refreshToken,
      role: role.name,
      identity: this.#identityOf(verified),
    };
  }

  #roleOf(user: UserRecord): Role {
    const role = this.#roles.get(user.role);
    if (role !== undefined) return role;
    throw new AuthError(
      "disabled",
      "this user's role is not configured: an operator must add it, or change the user",
    );
  }

  /** Whether the user is still there as it was, and the password still good: another sign-in may have renewed its hash. */
  async #isUnchanged({ name, passwordHash, role }: UserRecord, password: string): Promise<boolean> {
    const now = await this.#users.find(name);
    if (now === null || now.disabled || now.role !== role) return false;
    if (now.passwordHash === passwordHash) return true;
    const checking = this.#gate.run(() => verifyPassword(password, now.passwordHash));
    if (checking === null)
      throw new AuthError("busy", "too many sign-ins at once: try again in a second", { retryAfterS: 1 });
    return await checking;
  }

  /** A hash of other cost than today's is made anew while the password is at hand. Answers the one that holds then. */
  async #renewedHash({ name, passwordHash }: UserRecord, password: string): Promise<string> {
    if (!isOutdated(passwordHash, this.#hashCost)) return passwordHash;
    const hashing = this.#gate.run(() => hashPassword(password, this.#hashCost));
    if (hashing === null) return passwordHash;
    const renewed = await hashing;
    // Not in place of a new password that was set meanwhile.
    const isRenewed = await this.#users.update(
      name,
      { passwordHash: renewed },
      this.#clock.nowMs(),
      passwordHash,
    );
    return isRenewed ? renewed : passwordHash;
  }

  #contextOf(settings: AuthSettings): TokenContext {
    const issuers = new Map<string, IssuerKeys>(
      settings.trustedIssuers.map((trusted) => [trusted.issuer, issuerKeys(trusted, this.#clock)]),
    );
    return {
      issuer: settings.issuer,
      audience: settings.audience,
      keys: this.#keys,
      issuers,
      clock: this.#clock,
      mercure07: this.#mercure07,
    };
  }

  async #counted<Result>(method: AuthMethod, attempt: () => Promise<Result>): Promise<Result> {
    try {
      return await attempt();
    } catch (error) {
      throw this.#counting(method, error);
    }
  }

  #counting(method: AuthMethod, error: unknown): unknown {
    if (error instanceof AuthError) this.failures.add(`${method}:${error.code}`);
    return error;
  }
}
