import type { Clock } from "#base/clock.ts";
import type { Connection } from "#downstream/connection.ts";
import type { ConnectionObserver, ConnectionRegistry } from "#downstream/connection-registry.ts";
import { SseConnection } from "#downstream/sse-connection.ts";
import { Channel } from "#downstream/websocket-channel.ts";
import type { EventSink, Hub, Subscription } from "#hub/hub.ts";
import type { AdminDesk, ConnectionItem, SubscriberItem } from "#ops/admin/ports.ts";
import type { ErrorGroups } from "#ops/error-groups.ts";
import { CLOSE_REASONS, CloseReason } from "#protocol/close-reason.ts";

/** Connections that have ended are shown until so many have ended after them. */
const ENDED_MAX = 1000;

/** Ends that are as they should be: the client's wish or ours. */
const ORDERLY: ReadonlySet<CloseReason> = new Set([
  CloseReason.client_closed,
  CloseReason.shutdown,
  CloseReason.forced_reconnect,
]);

export interface ConnectionsViewParts {
  readonly registry: ConnectionRegistry;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly errors: ErrorGroups;
}

type Query = Parameters<AdminDesk["connections"]>[0];

/** Connections as administrators see them: those that are open, and the last thousand that ended. */
export class ConnectionsView implements ConnectionObserver {
  readonly #parts: ConnectionsViewParts;
  readonly #ended: ConnectionItem[] = [];
  /** Where the next one that ends is put. */
  #next = 0;

  constructor(parts: ConnectionsViewParts) {
    this.#parts = parts;
  }

  ended(connection: Connection, reason: CloseReason, durationS: number, detail: string | undefined): void {
    const nowMs = this.#parts.clock.nowMs();
    this.#ended[this.#next] = {
      ...itemOf(connection, nowMs),
      state: "closed",
      closedAtMs: nowMs,
      reason,
      ageMs: durationS * 1000,
      subscribers: 0,
      queuedBytes: 0,
    };
    this.#next = (this.#next + 1) % ENDED_MAX;
    if (ORDERLY.has(reason)) return;
    const sample = detail ?? CLOSE_REASONS[reason].meaning;
    this.#parts.errors.add(
      { kind: "end", room: "downstream", code: reason, peer: connection.address, sample },
      nowMs,
    );
  }

  list(query: Query): ReturnType<AdminDesk["connections"]> {
    const nowMs = this.#parts.clock.nowMs();
    const search = query.search.toLowerCase();
    const found: ConnectionItem[] = [];
    if (query.state !== "closed") {
      for (const connection of this.#parts.registry) {
        if (query.transport !== undefined && connection.transport !== query.transport) continue;
        if (search !== "" && !mentions(connection, search)) continue;
        found.push(itemOf(connection, nowMs));
      }
    }
    if (query.state !== "open") {
      for (const item of this.#ended) {
        if (query.transport !== undefined && item.transport !== query.transport) continue;
        if (search !== "" && !mentionsEnded(item, search)) continue;
        found.push(item);
      }
    }
    const order = query.order === "ascending" ? 1 : -1;
    const compare = COMPARE[query.sort];
    found.sort((one, other) => order * compare(one, other));
    return {
      connections: found.slice(query.offset, query.offset + query.limit),
      total: found.length,
      open: this.#parts.registry.size,
    };
  }

  one(id: string): ReturnType<AdminDesk["connection"]> {
    const connection = this.#parts.registry.get(id);
    if (connection === undefined) {
      const ended = this.#ended.find((item) => item.id === id);
      return ended === undefined ? null : { connection: ended, subscribers: [] };
    }
    return {
      connection: itemOf(connection, this.#parts.clock.nowMs()),
      subscribers: this.#selectorsOf(connection),
    };
  }

  /** Who gets a topic's events, by its name or by a pattern. */
  subscribers(topic: string, offset: number, limit: number): ReturnType<AdminDesk["subscribers"]> {
    const { hub } = this.#parts;
    const found: SubscriberItem[] = [];
    let total = 0;
    const take = (subscription: Subscription) => {
      const connection = this.#connectionOf(subscription.sink);
      if (connection === undefined) return;
      if (total >= offset && found.length < limit)
        found.push(subscriberOf(connection, subscription.selector));
      total++;
    };
    for (const subscription of hub.subscribersOf(topic)) take(subscription);
    for (const group of hub.patterns()) {
      if (group.matcher.matches(topic)) for (const subscription of group.subscribers) take(subscription);
    }
    return { subscribers: found, total };
  }

  #selectorsOf(connection: Connection): SubscriberItem[] {
    if (connection instanceof SseConnection) {
      return connection.matchers.map((matcher) => subscriberOf(connection, matcher));
    }
    const found: SubscriberItem[] = [];
    const take = ({ sink, selector }: Subscription) => {
      if (sink instanceof Channel && sink.client.id === connection.id)
        found.push(subscriberOf(connection, selector));
    };
    for (const topic of this.#parts.hub.topics()) for (const each of topic.subscribers) take(each);
    for (const group of this.#parts.hub.patterns()) for (const each of group.subscribers) take(each);
    return found;
  }

  #connectionOf(sink: EventSink): Connection | undefined {
    if (sink instanceof SseConnection) return sink;
    return sink instanceof Channel ? this.#parts.registry.get(sink.client.id) : undefined;
  }
}

type Compare = (one: ConnectionItem, other: ConnectionItem) => number;

const COMPARE: Readonly<Record<Query["sort"], Compare>> = {
  age: (one, other) => one.ageMs - other.ageMs,
  queue: (one, other) => one.queuedBytes - other.queuedBytes,
  subscribers: (one, other) => one.subscribers - other.subscribers,
  user: (one, other) => compareTexts(one.user, other.user),
  address: (one, other) => compareTexts(one.address, other.address),
};

function compareTexts(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

function itemOf(connection: Connection, nowMs: number): ConnectionItem {
  const { id, transport, address, identity, openedAtMs, subscriberCount, queuedBytes } = connection;
  return {
    id,
    transport,
    state: "open",
    address,
    user: identity.user,
    kind: identity.kind,
    role: identity.role,
    openedAtMs,
    closedAtMs: null,
    reason: null,
    ageMs: Math.max(0, nowMs - openedAtMs),
    subscribers: subscriberCount,
    queuedBytes,
  };
}

function mentions({ id, address, identity }: Connection, search: string): boolean {
  return (
    id.includes(search) ||
    address.includes(search) ||
    identity.user.toLowerCase().includes(search) ||
    (identity.role?.toLowerCase().includes(search) ?? false)
  );
}

function mentionsEnded(item: ConnectionItem, search: string): boolean {
  const { id, address, user, role, reason } = item;
  return [id, address, user, role ?? "", reason ?? ""].some((text) => text.toLowerCase().includes(search));
}

function subscriberOf(connection: Connection, { pattern, type }: Subscription["selector"]): SubscriberItem {
  const { id, transport, identity } = connection;
  return { connection: id, transport, user: identity.user, selector: pattern, type };
}
