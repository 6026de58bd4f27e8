import { readFileSync } from "node:fs";
import type { GatewayAuthenticator } from "#auth/gateway-authenticator.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Desk } from "#downstream/desk.ts";
import type { AdminDesk, ErrorsAnswer, Overview } from "#ops/admin/ports.ts";
import type { ErrorGroups } from "#ops/error-groups.ts";
import type { Readiness } from "#ops/health.ts";
import { sum } from "#ops/metric-readings.ts";
import { verdictOf } from "#ops/verdict.ts";
import type { GatewayViews } from "#ops/views.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import type { Storage } from "#storage/storage.ts";
import type { FeedDesk } from "../feed-desk.ts";
import type { LiveSettings } from "../live-settings.ts";
import { adviceOf } from "./advice.ts";
import type { ConnectionsView } from "./connections-view.ts";
import type { FeedsView } from "./feeds-view.ts";
import type { Sampler } from "./sampler.ts";
import { UsersView } from "./users-view.ts";

const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** This package's version. */
export const VERSION: string = version;

/** The configuration in force as text, secrets hidden. */
export interface ConfigText {
  readonly yaml: string;
  readonly file: string | null;
}

export interface GatewayDeskParts {
  readonly live: LiveSettings;
  readonly desk: Desk;
  readonly feedDesk: FeedDesk;
  readonly storage: Storage;
  readonly authenticator: GatewayAuthenticator;
  readonly views: GatewayViews;
  readonly readiness: () => Promise<Readiness>;
  readonly errors: ErrorGroups;
  readonly sampler: Sampler;
  readonly connections: ConnectionsView;
  readonly feeds: FeedsView;
  readonly configText: () => ConfigText;
  /** Begins the orderly end. */
  readonly drain: (cause: string) => void;
  readonly clock: Clock;
  readonly log: Logger;
}

/** The whole gateway behind the admin API. */
export class GatewayDesk implements AdminDesk {
  readonly #parts: GatewayDeskParts;
  readonly #users: UsersView;
  readonly #startedAtMs: number;
  #config: { readonly of: object; readonly atMs: number };

  constructor(parts: GatewayDeskParts) {
    this.#parts = parts;
    const { storage, desk, authenticator, clock, live } = parts;
    this.#users = new UsersView({ storage, registry: desk.registry, authenticator, clock });
    this.#startedAtMs = clock.nowMs();
    this.#config = { of: live.config, atMs: this.#startedAtMs };
  }

  async overview(): Promise<Overview> {
    const { desk, live, sampler, views, clock, feedDesk } = this.#parts;
    const { readings, links, lagP50Ms, lagP99Ms, queuedBytes } = sampler.now();
    const hub = desk.hub.stats();
    const nowMs = clock.nowMs();
    const certificateExpiresAtMs = views.certificateExpiresAtMs();
    const sweepReclaimed = sum(views.sweepReclaimed);
    const connections = desk.registry.size;
    const { connections: connectionsMax } = desk.limits;
    const linksDown = readings.linksNotOpen - (links.ended ?? 0) - (links.idle ?? 0);
    const health = verdictOf(await this.#parts.readiness(), {
      connections,
      connectionsMax,
      linksOpen: readings.linksOpen,
      linksDown,
      certificateExpiresAtMs,
      sweepReclaimed,
      nowMs,
    });
    const { sse = 0, websocket = 0 } = views.connections().open;
    const closedByReason: Record<string, number> = {};
    for (const [key, count] of desk.counters.closed.entries()) {
      if (count === 0) continue;
      const reason = key.slice(key.indexOf(":") + 1);
      closedByReason[reason] = (closedByReason[reason] ?? 0) + count;
    }
    return {
      atMs: nowMs,
      version: VERSION,
      startedAtMs: this.#startedAtMs,
      epoch: desk.hub.epoch,
      health,
      connections: { sse, websocket },
      connectionsMax,
      opened: desk.counters.opened.total,
      closed: desk.counters.closed.total,
      resets: desk.counters.resets.total,
      closedByReason,
      subscribers: hub.subscribers,
      topics: hub.topics,
      published: readings.published,
      deliveries: readings.deliveries,
      slowConsumers: readings.slowConsumers,
      authFailures: readings.authFailures,
      errors: readings.errors,
      lagMs: { p50: lagP50Ms, p99: lagP99Ms },
      memory: {
        residentBytes: readings.residentBytes,
        limitBytes: views.memoryLimitBytes(),
        step: views.memoryStep(),
      },
      log: { bytes: hub.logBytes, bytesMax: live.config.log.bytesMax, events: hub.logEvents, head: hub.head },
      queuedBytes,
      cpu: readings.cpu,
      links: { ...links },
      feeds: feedDesk.feeds.length,
      reconnects: readings.reconnects,
      gaps: readings.gaps,
      databaseConnections: { ...views.databaseConnections() },
      certificateExpiresAtMs,
      sweepReclaimed,
      draining: desk.isDraining(),
    };
  }

  history(step: Parameters<AdminDesk["history"]>[0]) {
    return this.#parts.sampler.history.read(step);
  }

  connections(query: Parameters<AdminDesk["connections"]>[0]) {
    return this.#parts.connections.list(query);
  }

  connection(id: string) {
    return this.#parts.connections.one(id);
  }

  closeConnection(id: string, reconnect: boolean, by: string) {
    const connection = this.#parts.desk.registry.get(id);
    if (connection === undefined) return null;
    const reason = reconnect ? CloseReason.forced_reconnect : CloseReason.forced_disconnect;
    connection.close(reason, `by ${by}, an administrator`);
    return { changed: 1 };
  }

  subscribers({ topic, offset, limit }: Parameters<AdminDesk["subscribers"]>[0]) {
    return this.#parts.connections.subscribers(topic, offset, limit);
  }

  topics({ search, offset, limit }: Parameters<AdminDesk["topics"]>[0]) {
    const { desk, feedDesk } = this.#parts;
    const wanted = search.toLowerCase();
    const found = [...desk.hub.topics()]
      .filter(({ name }) => name.toLowerCase().includes(wanted))
      .sort((one, other) => (one.name < other.name ? -1 : 1));
    return {
      topics: found.slice(offset, offset + limit).map((topic) => ({
        name: topic.name,
        subscribers: topic.subscribers.size,
        hasState: topic.state !== null,
        lastSequence: topic.last?.event.sequence ?? null,
        feed: feedDesk.feeds.find((feed) => feed.topicKey(topic.name) !== null)?.name ?? null,
      })),
      total: found.length,
    };
  }

  feeds() {
    const { feeds, feedDesk, live } = this.#parts;
    return feeds.list(feedDesk.feeds, live.config.feeds);
  }

  rotateLink(feed: string, link: number, by: string) {
    this.#parts.log.info({ feed, link, by }, "link to be rotated by an administrator");
    return this.#feed(feed)?.rotate(link) === true ? { changed: 1 } : null;
  }

  closeLink(feed: string, link: number, by: string) {
    this.#parts.log.info({ feed, link, by }, "link to be cut by an administrator");
    return this.#feed(feed)?.cut(link) === true ? { changed: 1 } : null;
  }

  users(query: Parameters<AdminDesk["users"]>[0]) {
    return this.#users.list(query);
  }

  setUserDisabled(name: string, disabled: boolean, by: string) {
    this.#parts.log.info({ user: name, disabled, by }, "user changed by an administrator");
    return this.#users.setDisabled(name, disabled);
  }

  sessions(user: string) {
    return this.#users.sessions(user);
  }

  revokeSessions(user: string, by: string) {
    this.#parts.log.info({ user, by }, "sessions ended by an administrator");
    return this.#users.revokeAllOf(user);
  }

  revokeSession(id: string, by: string) {
    this.#parts.log.info({ session: id, by }, "session ended by an administrator");
    return this.#users.revoke(id);
  }

  errors({ search, limit }: Parameters<AdminDesk["errors"]>[0]): ErrorsAnswer {
    const { errors, clock } = this.#parts;
    return {
      groups: errors.list(search, limit).map((group) => ({ ...group, advice: adviceOf(group) })),
      total: errors.total,
      recent: errors.minutes(clock.nowMs()),
    };
  }

  configuration() {
    const { live, clock, configText } = this.#parts;
    if (this.#config.of !== live.config) this.#config = { of: live.config, atMs: clock.nowMs() };
    return { ...configText(), loadedAtMs: this.#config.atMs };
  }

  drain(by: string) {
    this.#parts.drain(`${by}, an administrator`);
    return { draining: true as const, timeoutMs: this.#parts.live.config.drain.timeoutMs };
  }

  #feed(name: string) {
    return this.#parts.feedDesk.feeds.find((feed) => feed.name === name);
  }
}
