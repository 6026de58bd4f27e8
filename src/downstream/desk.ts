/**
 * Room `downstream`: client connections, SSE and WebSocket. Pure deciders stand beside the shells that perform them.
 * It may use `base`, `protocol`, `hub` and `auth`; it knows no feed and no database.
 */
import type { IncomingMessage } from "node:http";
import type { Authenticator } from "#auth/authenticator.ts";
import type { OpenAccess } from "#auth/policy.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Random } from "#base/random.ts";
import type { TimerWheel } from "#base/timer-wheel.ts";
import type { Hub } from "#hub/hub.ts";
import type { ResourceFacts } from "#protocol/mercure-metadata.ts";
import type { ConnectionRegistry } from "./connection-registry.ts";
import type { DownstreamCounters } from "./downstream-counters.ts";
import type { Flusher } from "./flusher.ts";
import type { ActiveSubscriptions } from "./mercure-subscriptions.ts";
import type { CompressionSettings } from "./websocket-deflate.ts";

export interface DownstreamLimits {
  /** Connections in all. */
  readonly connections: number;
  readonly connectionsPerUser: number;
  readonly connectionsPerAddress: number;
  /** New connections in a second, and at once. */
  readonly connectionsPerSecond: number;
  /** Commands of one WebSocket client in a second. */
  readonly commandsPerSecond: number;
  /** How long a WebSocket client may be without subscription and command. */
  readonly idleTimeoutMs: number;
  /** Greatest age of a connection; null: none. */
  readonly connectionAgeMs: number | null;
  readonly subscribersPerConnection: number;
  /** Bytes that may wait for one client. */
  readonly queueBytes: number;
  /** Largest request body, form or message. */
  readonly requestBytes: number;
}

/** What every connection needs and none owns. Made once by the composition root. */
export interface Desk {
  readonly hub: Hub;
  readonly authenticator: Authenticator;
  readonly access: OpenAccess;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly wheel: TimerWheel;
  readonly flusher: Flusher;
  readonly registry: ConnectionRegistry;
  readonly counters: DownstreamCounters;
  readonly limits: DownstreamLimits;
  readonly heartbeat: { readonly intervalMs: number; readonly timeoutMs: number };
  /** Of WebSocket messages; null: none. */
  readonly compression: CompressionSettings | null;
  /** What happens to a client that does not read as fast as events come. */
  readonly slowConsumer: "disconnect" | "conflate";
  /** Browser origins, besides the gateway's own, that may use cookies and read answers. */
  readonly origins: ReadonlySet<string>;
  /** What is told of the gateway as an OAuth resource. */
  readonly resource: ResourceFacts;
  /** What streams are subscribed to. */
  readonly subscriptions: ActiveSubscriptions;
  /** Whether the older Mercure draft is spoken as well. */
  readonly mercure07: boolean;
  /** Unguessable and unique while the process lives. */
  readonly nextConnectionId: () => string;
  /** True once the gateway drains: nobody new is let in. */
  readonly isDraining: () => boolean;
  /** The scheme that the client used, where a trusted proxy tells it; null: that of its own connection. */
  readonly schemeOf: (request: IncomingMessage) => "http" | "https" | null;
  /** The client's address behind trusted proxies. */
  readonly addressOf: (request: IncomingMessage) => string;
}
