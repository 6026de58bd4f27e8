import type { StateMode } from "#protocol/event.ts";

/**
 * Room `config`: the contract of `streamkeeper.yaml`: its schema, its loading, its faults. It may use `base` and
 * `protocol`.
 *
 * This file is what the other rooms see: everything resolved, in plain numbers with their unit in the name. What each
 * value means, its default and its bounds stand in `schema.ts`, and in `docs/configuration.md` made from it.
 */
export interface Config {
  readonly listen: ListenConfig;
  /** Null: plain HTTP. */
  readonly tls: TlsConfig | null;
  /** `sqlite:` and an absolute path (or `:memory:`), or a `postgres://` URL. May hold a password. */
  readonly database: string;
  readonly auth: AuthConfig;
  readonly feeds: readonly FeedConfig[];
  readonly log: LogConfig;
  readonly limits: LimitsConfig;
  readonly slowConsumer: SlowConsumer;
  readonly heartbeat: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly drain: { readonly timeoutMs: number };
  /** `redis://` or `rediss://` URL; null: one machine. May hold a password. */
  readonly cluster: string | null;
  readonly compat: { readonly mercure07: boolean };
}

export interface ListenConfig {
  readonly host: string;
  /** 0: a free port that the system chooses. */
  readonly port: number;
  readonly allowPlaintext: boolean;
  /** Whether HTTP/2 is offered over TLS. */
  readonly http2: boolean;
  /** Of WebSocket messages; null: none. */
  readonly compression: CompressionConfig | null;
  readonly metrics: "private" | "public";
  /** Origins as browsers send them, such as `https://app.example.com`. */
  readonly origins: readonly string[];
  /** IP addresses and CIDR ranges. */
  readonly trustedProxies: readonly string[];
}

export interface CompressionConfig {
  readonly thresholdBytes: number;
  readonly windowBits: number;
  readonly memLevel: number;
  readonly inflationsMax: number;
}

/** Absolute paths of PEM files. */
export interface TlsConfig {
  readonly cert: string;
  readonly key: string;
}

export interface AuthConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly accessTokenTtlMs: number;
  readonly refreshTokenTtlMs: number;
  readonly trustedIssuers: readonly TrustedIssuer[];
  readonly anonymous: { readonly subscribe: readonly string[] };
  readonly roles: Readonly<Record<string, RoleConfig>>;
}

export interface TrustedIssuer {
  readonly issuer: string;
  readonly jwksUri: string;
  readonly audience: string;
}

/** Patterns as `grantMatcher` of `#protocol/topic-matcher.ts` reads them. */
export interface RoleConfig {
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly admin: boolean;
}

/** How a feed is asked for keys: not at all, one key a link, many keys a link. */
export type Addressing = "none" | "key" | "keys";

export interface FeedConfig {
  readonly name: string;
  /** At least one; all with the same placeholder. */
  readonly urls: readonly [string, ...string[]];
  readonly addressing: Addressing;
  readonly topic: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: FeedTlsConfig | null;
  /** JSON Pointer (RFC 6901); null: the event's data is one item. */
  readonly items: string | null;
  /** JSON Pointer (RFC 6901); null: the link's own key, or none. */
  readonly key: string | null;
  readonly state: StateMode;
  readonly access: "private" | "public";
  readonly pool: {
    readonly keysPerLink: number;
    readonly linksMax: number;
    readonly lingerMs: number;
    readonly gatherMs: number;
  };
  readonly health: {
    readonly connectTimeoutMs: number;
    readonly idleTimeoutMs: number;
    readonly rotateAfterMs: number;
    readonly eventBytesMax: number;
  };
  readonly retry: { readonly minMs: number; readonly maxMs: number; readonly resetAfterMs: number };
}

/** Absolute paths of PEM files; `cert` and `key` are both there or both null. */
export interface FeedTlsConfig {
  /** Null: the system's authorities. */
  readonly ca: string | null;
  readonly cert: string | null;
  readonly key: string | null;
}

export interface LogConfig {
  readonly bytesMax: number;
  readonly ageMaxMs: number;
  readonly stateBytesMax: number;
  /** Absolute path of a directory; null: the log is in memory only. */
  readonly persist: string | null;
}

export interface LimitsConfig {
  readonly connections: number;
  readonly connectionsPerUser: number;
  readonly connectionsPerAddress: number;
  readonly connectionsPerSecond: number;
  readonly commandsPerSecond: number;
  readonly idleTimeoutMs: number;
  /** Null: none. */
  readonly connectionAgeMs: number | null;
  readonly subscribersPerConnection: number;
  readonly queueBytes: number;
  readonly requestBytes: number;
  readonly memory: MemoryLimit;
}

/** A share of the machine's (or cgroup's) memory, over 0 and up to 1, or an absolute size. */
export type MemoryLimit =
  | { readonly kind: "fraction"; readonly fraction: number }
  | { readonly kind: "bytes"; readonly bytes: number };

export type SlowConsumer = "disconnect" | "conflate";
