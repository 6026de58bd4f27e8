import fastifyFactory from "fastify";
import type { GatewayAuthenticator } from "#auth/gateway-authenticator.ts";
import { authRoutes } from "#auth/http-routes.ts";
import { messageOf } from "#base/errors.ts";
import type { Desk } from "#downstream/desk.ts";
import { mercureHandler } from "#downstream/mercure-handler.ts";
import { Transport } from "#downstream/transport.ts";
import { WebSocketEndpoint } from "#downstream/websocket-endpoint.ts";
import type { ErrorGroups } from "#ops/error-groups.ts";
import type { ErrorJournal } from "#ops/error-journal.ts";
import { type Readiness, readiness } from "#ops/health.ts";
import { opsRoutes } from "#ops/http-routes.ts";
import { GatewayMetrics } from "#ops/metrics.ts";
import type { GatewayViews } from "#ops/views.ts";
import type { Storage } from "#storage/storage.ts";
import type { FeedStats } from "#upstream/ports.ts";
import {
  type Admin,
  type ConfigText,
  type ConnectionsView,
  type FeedsView,
  serveAdmin,
} from "./admin/admin.ts";
import type { FeedDesk } from "./feed-desk.ts";
import type { Listener } from "./listener.ts";
import type { LiveSettings } from "./live-settings.ts";
import type { LogPersistence } from "./log-persistence.ts";
import { memoryLimitBytes } from "./memory-limit.ts";
import type { Sweep } from "./sweep.ts";
import type { TlsFiles } from "./tls-files.ts";
import type { Watchdog } from "./watchdog.ts";

const WEBSOCKET_PATH = "/connection/websocket";

const NOT_FOUND = "HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

export interface Served {
  readonly live: LiveSettings;
  readonly desk: Desk;
  readonly feedDesk: FeedDesk;
  readonly storage: Storage;
  readonly authenticator: GatewayAuthenticator;
  readonly journal: ErrorJournal;
  readonly errors: ErrorGroups;
  readonly tls: TlsFiles | null;
  readonly sweep: Sweep;
  readonly watchdog: Watchdog;
  /** Null: the log is in memory only. */
  readonly persistence: LogPersistence | null;
  readonly connections: ConnectionsView;
  readonly feeds: FeedsView;
  readonly configText: () => ConfigText;
  /** Begins the orderly end of the gateway. */
  readonly drain: (cause: string) => void;
}

/** Puts everything that the gateway answers on its listener: streams and upgrades beside the web framework, the rest in it. */
export async function serveOn(listener: Listener, served: Served): Promise<Admin> {
  const { live, desk, authenticator, journal } = served;
  const app = fastifyFactory({ bodyLimit: desk.limits.requestBytes, logger: false });
  app.addHook("onSend", async (_request, reply) => {
    reply.header("x-content-type-options", "nosniff");
    if (listener.isSecure) reply.header("strict-transport-security", "max-age=31536000");
  });
  app.setErrorHandler((error, _request, reply) => {
    const status = (error as { statusCode?: number }).statusCode ?? 500;
    if (status >= 500) journal.record("app", error, "a request failed");
    const description = status >= 500 ? "the gateway failed; try again" : messageOf(error);
    return reply
      .code(status)
      .send({ error: status >= 500 ? "server_error" : "invalid_request", error_description: description });
  });
  app.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ error: "not_found", error_description: "there is nothing at this path" }),
  );
  await app.register(authRoutes, { authenticator, addressOf: desk.addressOf, origins: desk.origins });
  const views = viewsOf(served, listener);
  const isReady = () => readinessOf(served, listener);
  await app.register(opsRoutes, {
    metrics: new GatewayMetrics(views),
    readiness: isReady,
    isAdminToken: async (token) => (await authenticator.fromToken(token)).admin,
    metricsPublic: () => live.config.listen.metrics === "public",
  });
  const { clock, log } = desk;
  const admin = await serveAdmin(app, { ...served, views, readiness: isReady, clock, log });
  await app.ready();
  const webSockets = new WebSocketEndpoint(desk);
  listener.serve(
    [mercureHandler(desk)],
    (request, response) => app.routing(request, response),
    (request, socket, head) => {
      const path = (request.url ?? "").split("?", 1)[0];
      if (path === WEBSOCKET_PATH) webSockets.upgrade(request, socket, head);
      // Destroyed once it is told: `http` watches over an upgrade's socket no more, and it would stay half-open for ever.
      else socket.end(NOT_FOUND, () => socket.destroy());
    },
  );
  return admin;
}

/** Whether new clients should be sent here, as of this moment. */
async function readinessOf(served: Served, listener: Listener): Promise<Readiness> {
  return readiness({
    draining: served.desk.isDraining(),
    listening: listener.isListening,
    memoryShort: served.watchdog.severity > 0,
    databaseFault: await faultOf(served.storage),
    logUnwritten: served.persistence?.isFailing ?? false,
    feeds: served.feedDesk.feeds.map((feed) => ({
      name: feed.name,
      linksRejected: linksRejected(feed.stats()),
    })),
  });
}

/** A feed whose every key is rejected has no link to show for it, and counts as one. */
function linksRejected({ links, keysQuarantined }: FeedStats): number {
  const rejected = links.filter(({ state }) => state === "rejected").length;
  const isRejecting = keysQuarantined > 0 && !links.some(({ state }) => state === "open");
  return Math.max(rejected, isRejecting ? 1 : 0);
}

/** What is wrong with the database, in words; null when it answers. */
async function faultOf(storage: Storage): Promise<string | null> {
  try {
    await storage.keys.list();
    return null;
  } catch (thrown) {
    return messageOf(thrown);
  }
}

/** The rooms' own numbers, as metrics read them. */
function viewsOf(
  { desk, feedDesk, storage, authenticator, journal, tls, sweep, watchdog, persistence, live }: Served,
  listener: Listener,
): GatewayViews {
  const { counters, registry, hub, flusher } = desk;
  return {
    downstream: counters,
    connections: () => {
      const { subscribers, queuedBytes } = registry.sums();
      return {
        open: { sse: registry.count(Transport.sse), websocket: registry.count(Transport.websocket) },
        subscribers,
        queuedBytes,
        limit: desk.limits.connections,
      };
    },
    feeds: () => feedDesk.feeds,
    pastFeeds: () => feedDesk.past.sums(),
    hub: () => hub.stats(),
    deliveryLagS: flusher.lag,
    authFailures: authenticator.failures,
    errors: { entries: () => [...journal.counts.entries(), ...listener.errorEntries()] },
    sweepReclaimed: sweep.reclaimed,
    databaseConnections: () => ({ ...storage.connections() }),
    memoryLimitBytes: () => memoryLimitBytes(live.config.limits.memory),
    memoryStep: () => watchdog.severity,
    memoryMeasures: watchdog.measures,
    logOnDisk: () => persistence?.stats() ?? null,
    certificateExpiresAtMs: () => tls?.expiresAtMs ?? null,
  };
}
