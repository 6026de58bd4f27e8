import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { SecureContextOptions } from "node:tls";
import { AuthError } from "#auth/auth-error.ts";
import type { Authenticator } from "#auth/authenticator.ts";
import { grantsFromTexts } from "#auth/grants.ts";
import type { Identity } from "#auth/identity.ts";
import { silentLogger } from "#base/logger.ts";
import { seededRandom } from "#base/random.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { ConnectionRegistry } from "#downstream/connection-registry.ts";
import type { Desk, DownstreamLimits } from "#downstream/desk.ts";
import { DownstreamCounters } from "#downstream/downstream-counters.ts";
import { Flusher } from "#downstream/flusher.ts";
import { mercureHandler } from "#downstream/mercure-handler.ts";
import { ActiveSubscriptions } from "#downstream/mercure-subscriptions.ts";
import { Hub } from "#hub/hub.ts";
import type { Publication } from "#protocol/event.ts";
import { SseClient, type SseClientOptions } from "./sse-client.ts";

export interface MercureServerOptions {
  readonly slowConsumer?: Desk["slowConsumer"];
  readonly limits?: Partial<DownstreamLimits>;
  /** Subscribe grants of everybody. */
  readonly anonymous?: readonly string[];
  readonly origins?: readonly string[];
  readonly logBytesMax?: number;
  readonly tls?: SecureContextOptions;
  readonly mercure07?: boolean;
}

/** The Mercure endpoint on a real HTTP server and a real hub, in virtual time, with tokens that are what they stand for. */
export class MercureServer implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly hub: Hub;
  readonly counters = new DownstreamCounters();
  readonly registry = new ConnectionRegistry(this.counters, silentLogger, this.clock);
  readonly server: Server;
  readonly desk: Desk;
  draining = false;
  /** What a token means. A token that is not here is not valid; an error is thrown. */
  readonly tokens = new Map<string, Identity | Error>();
  /** Users who may no longer be here. */
  readonly withdrawn = new Set<string>();

  static async open(options: MercureServerOptions = {}): Promise<MercureServer> {
    const server = new MercureServer(options);
    server.server.listen(0, "127.0.0.1");
    await once(server.server, "listening");
    return server;
  }

  constructor(options: MercureServerOptions) {
    this.hub = new Hub({
      epoch: "e",
      log: { bytesMax: options.logBytesMax ?? 16 * 1024 * 1024, ageMaxMs: 600_000 },
      stateBytesMax: 1024 * 1024,
      nowMs: () => this.clock.nowMs(),
    });
    let connections = 0;
    this.desk = {
      hub: this.hub,
      authenticator: {
        anonymous: identityOf({ kind: "anonymous", user: "" }),
        fromToken: async (token: string) => {
          const known = this.tokens.get(token);
          if (known === undefined) throw new AuthError("invalid_token", "no such token");
          if (known instanceof Error) throw known;
          return known;
        },
        renewed: (identity: Identity) => (this.withdrawn.has(identity.user) ? null : identity),
      } as unknown as Authenticator,
      access: {
        anonymous: grantsFromTexts(options.anonymous ?? ["/public/*"]),
        hasPublicTopics: false,
        isPublicTopic: () => false,
      },
      clock: this.clock,
      random: seededRandom(1),
      log: silentLogger,
      wheel: new TimerWheel(this.clock),
      flusher: new Flusher(this.clock),
      registry: this.registry,
      counters: this.counters,
      limits: {
        connections: 20_000,
        connectionsPerUser: 100,
        connectionsPerAddress: 20_000,
        connectionsPerSecond: 100_000,
        commandsPerSecond: 1000,
        idleTimeoutMs: 10 ** 12,
        connectionAgeMs: null,
        subscribersPerConnection: 500,
        queueBytes: 1024 * 1024,
        requestBytes: 64 * 1024,
        ...options.limits,
      },
      slowConsumer: options.slowConsumer ?? "disconnect",
      heartbeat: { intervalMs: 25_000, timeoutMs: 10_000 },
      origins: new Set(options.origins),
      mercure07: options.mercure07 ?? false,
      subscriptions: new ActiveSubscriptions(this.hub),
      resource: { audience: "test", issuers: ["https://issuer.example", "local"] },
      nextConnectionId: () => `c${++connections}`,
      isDraining: () => this.draining,
      compression: null,
      schemeOf: () => null,
      addressOf: (request) => request.socket.remoteAddress ?? "",
    };
    const handler = mercureHandler(this.desk);
    const serve: Parameters<typeof createServer>[1] = (request, response) => {
      if (!handler(request, response)) response.writeHead(404).end("not the hub's");
    };
    this.server =
      options.tls === undefined ? createServer(serve) : createSecureServer({ ...options.tls }, serve);
    this.server.on("connection", (socket) => socket.on("error", () => {}));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** A client whose stream has begun, or that was refused. */
  client(query: string, options?: SseClientOptions): Promise<SseClient> {
    return new SseClient(this.url, query, options).opened();
  }

  /** Publishes past the endpoint; answers the sequence. */
  publish(topic: string, data: string, more: Partial<Publication> = {}): number {
    return this.hub.publish({ topics: [topic], data, ...more }).sequence;
  }

  /** Makes a token that permits this; answers it. */
  token(name: string, grants: { subscribe?: string[]; publish?: string[]; expiresAtMs?: number }): string {
    this.tokens.set(
      name,
      identityOf({
        kind: "token",
        user: name,
        tokenId: name,
        subscribe: grantsFromTexts(grants.subscribe ?? []),
        publish: grantsFromTexts(grants.publish ?? []),
        expiresAtMs: grants.expiresAtMs ?? null,
      }),
    );
    return name;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.registry.closeWhere(() => true, "shutdown");
    this.registry.destroyAll();
    this.server.close();
    this.server.closeAllConnections();
    await this.registry.empty();
    this.desk.wheel[Symbol.dispose]();
  }
}

/** The rest of this turn, and the next one: what was published is written by then. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
}

function identityOf(given: Partial<Identity>): Identity {
  return {
    kind: "anonymous",
    user: "",
    role: null,
    subscribe: grantsFromTexts([]),
    publish: grantsFromTexts([]),
    admin: false,
    tokenId: null,
    sessionId: null,
    expiresAtMs: null,
    ...given,
  };
}
