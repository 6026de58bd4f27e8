import { AuthError } from "#auth/auth-error.ts";
import type { Authenticator, Session } from "#auth/authenticator.ts";
import { grantsFromTexts } from "#auth/grants.ts";
import type { Identity } from "#auth/identity.ts";
import type { Clock } from "#base/clock.ts";
import { Tally } from "#base/counters.ts";
import { silentLogger } from "#base/logger.ts";
import { seededRandom } from "#base/random.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import { ConnectionRegistry } from "#downstream/connection-registry.ts";
import type { Desk, DownstreamLimits } from "#downstream/desk.ts";
import { DownstreamCounters } from "#downstream/downstream-counters.ts";
import { Flusher } from "#downstream/flusher.ts";
import { ActiveSubscriptions } from "#downstream/mercure-subscriptions.ts";
import { Hub } from "#hub/hub.ts";

/** Topics under `/public/` are open to everybody; those under `/feed/` belong to a public feed. */
export interface TestDeskOptions {
  readonly clock: Clock;
  readonly limits?: Partial<DownstreamLimits>;
  readonly heartbeat?: Desk["heartbeat"];
  readonly slowConsumer?: Desk["slowConsumer"];
  readonly origins?: readonly string[];
  readonly logBytesMax?: number;
  readonly compression?: Desk["compression"];
  readonly isDraining?: () => boolean;
}

export interface TestDesk extends Desk {
  readonly authenticator: TestAuthenticator;
}

/** A whole desk for one room's tests: everything real but the sign-in, which knows what it is told. */
export function testDesk(options: TestDeskOptions): TestDesk {
  const { clock } = options;
  const counters = new DownstreamCounters();
  let ids = 0;
  const hub = new Hub({
    epoch: "life1",
    log: { bytesMax: options.logBytesMax ?? 2 ** 24, ageMaxMs: 600_000 },
    stateBytesMax: 2 ** 20,
    nowMs: () => clock.nowMs(),
  });
  return {
    hub,
    subscriptions: new ActiveSubscriptions(hub),
    resource: { audience: "test", issuers: [] },
    authenticator: new TestAuthenticator(clock),
    access: {
      anonymous: grantsFromTexts(["/public/*"]),
      hasPublicTopics: true,
      isPublicTopic: (topic) => topic.startsWith("/feed/"),
    },
    clock,
    random: seededRandom(1),
    log: silentLogger,
    wheel: new TimerWheel(clock, 10),
    flusher: new Flusher(clock),
    registry: new ConnectionRegistry(counters, silentLogger, clock),
    counters,
    limits: {
      connections: 100,
      connectionsPerUser: 100,
      connectionsPerAddress: 100,
      connectionsPerSecond: 100_000,
      commandsPerSecond: 1000,
      idleTimeoutMs: 10 ** 12,
      connectionAgeMs: null,
      subscribersPerConnection: 100,
      queueBytes: 2 ** 20,
      requestBytes: 64 * 1024,
      ...options.limits,
    },
    slowConsumer: options.slowConsumer ?? "disconnect",
    heartbeat: options.heartbeat ?? { intervalMs: 25_000, timeoutMs: 10_000 },
    origins: new Set(options.origins),
    mercure07: false,
    nextConnectionId: () => `c${++ids}`,
    isDraining: options.isDraining ?? (() => false),
    compression: options.compression ?? null,
    schemeOf: () => null,
    addressOf: (request) => request.socket.remoteAddress ?? "",
  };
}

export interface TestUser {
  readonly password?: string;
  readonly subscribe?: readonly string[];
  readonly publish?: readonly string[];
  /** Milliseconds that each of the user's tokens is good for; default 15 minutes. */
  readonly ttlMs?: number;
}

/** Users and tokens in maps, in place of a database and signatures. */
class TestAuthenticator implements Authenticator {
  readonly failures = new Tally<`${"password" | "token" | "refresh"}:${AuthError["code"]}`>();
  readonly anonymous: Identity = {
    kind: "anonymous",
    user: "",
    role: null,
    subscribe: grantsFromTexts(["/public/*"]),
    publish: grantsFromTexts([]),
    admin: false,
    tokenId: null,
    sessionId: null,
    expiresAtMs: null,
  };
  /** Sessions that were begun and not ended, by id. */
  readonly sessions = new Set<string>();
  readonly #clock: Clock;
  readonly #users = new Map<string, TestUser>();
  readonly #tokens = new Map<string, Identity>();
  #serial = 0;
  #gate: Promise<void> | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A user; answers an access token. Called again it changes the user's grants for later tokens. */
  user(name: string, user: TestUser = {}): string {
    this.#users.set(name, user);
    return this.token(name);
  }

  /** Another access token of a user. */
  token(name: string): string {
    const token = `token-${++this.#serial}-of-${name}`;
    this.#tokens.set(token, this.#identityOf(name, null));
    return token;
  }

  /** Makes every check wait until the answered function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return () => {
      this.#gate = null;
      resolve();
    };
  }

  async fromToken(token: string): Promise<Identity> {
    await this.#gate;
    if (token === "fault") throw new Error("the database is gone");
    const identity = this.#tokens.get(token);
    if (identity === undefined) return this.#fail("token", "invalid_token");
    if ((identity.expiresAtMs ?? 0) <= this.#clock.nowMs()) return this.#fail("token", "token_expired");
    return identity;
  }

  /** As its user's grants are now. */
  renewed(identity: Identity): Identity | null {
    if (identity.kind === "anonymous") return identity;
    const user = this.#users.get(identity.user);
    if (user === undefined) return null;
    const [subscribe, publish] = [user.subscribe ?? [], user.publish ?? []];
    return { ...identity, subscribe: grantsFromTexts(subscribe), publish: grantsFromTexts(publish) };
  }

  async login(name: string, password: string): Promise<Session> {
    await this.#gate;
    if (this.#users.get(name)?.password !== password) return this.#fail("password", "wrong_credentials");
    const sessionId = `s${++this.#serial}`;
    this.sessions.add(sessionId);
    const identity = this.#identityOf(name, sessionId);
    const accessToken = `token-${++this.#serial}-of-${name}`;
    this.#tokens.set(accessToken, identity);
    const expiresInS = ((identity.expiresAtMs as number) - this.#clock.nowMs()) / 1000;
    return { accessToken, expiresInS, refreshToken: `refresh-${sessionId}`, role: "tester", identity };
  }

  async refresh(): Promise<Session> {
    return this.#fail("refresh", "invalid_refresh_token");
  }

  async logout(who: Identity | string): Promise<void> {
    if (typeof who !== "string" && who.sessionId !== null) this.sessions.delete(who.sessionId);
  }

  jwks() {
    return { keys: [] };
  }

  onRevoked(): Disposable {
    return { [Symbol.dispose]() {} };
  }

  #identityOf(name: string, sessionId: string | null): Identity {
    const user = this.#users.get(name) ?? {};
    return {
      kind: sessionId === null ? "token" : "user",
      user: name,
      role: "tester",
      subscribe: grantsFromTexts(user.subscribe ?? []),
      publish: grantsFromTexts(user.publish ?? []),
      admin: false,
      tokenId: `t${++this.#serial}`,
      sessionId,
      expiresAtMs: this.#clock.nowMs() + (user.ttlMs ?? 900_000),
    };
  }

  #fail(method: "password" | "token" | "refresh", code: AuthError["code"]): never {
    this.failures.add(`${method}:${code}`);
    throw new AuthError(code, code);
  }
}
