import type { TimerWheel } from "#base/timer-wheel.ts";
import { Connection } from "#downstream/connection.ts";
import type { ConnectionRegistry } from "#downstream/connection-registry.ts";
import { subscriberOf } from "#downstream/websocket-queries.ts";
import type { Hub, Subscription } from "#hub/hub.ts";
import { CloseReason } from "#protocol/close-reason.ts";

/** What the sweep looks for: things that should not exist. A closed list. */
export const SweepKind = {
  subscriber: "subscriber",
  topic: "topic",
  pattern: "pattern",
  deadline: "deadline",
  unwatched: "unwatched",
  connection: "connection",
  socket: "socket",
  count: "count",
} as const;
export type SweepKind = (typeof SweepKind)[keyof typeof SweepKind];

/** What each kind means, for the documentation and the log. */
export const SWEEP_KINDS: Readonly<Record<SweepKind, string>> = {
  subscriber: "a subscriber whose connection has ended; it was unsubscribed",
  topic: "a topic without subscriber, event or state; it was forgotten",
  pattern: "a pattern without subscriber; it was forgotten",
  deadline: "a deadline of a connection that has ended; it was disarmed",
  unwatched: "an open connection without a deadline, which nobody would miss; it has one again",
  connection: "an open connection whose socket was destroyed half a minute ago or more; it was closed",
  socket: "a socket that outlived its connection by half a minute or more; it was destroyed",
  count:
    "a count that disagrees with what it counts, such as opened less closed and open; it was made right where it can be",
};

export interface Finding {
  readonly kind: SweepKind;
  /** What was found, for the log. */
  readonly detail: Readonly<Record<string, unknown>>;
  release(): void;
}

/** The books that must agree. */
export interface SweepBooks {
  readonly hub: Hub;
  readonly registry: ConnectionRegistry;
  readonly wheel: TimerWheel;
}

/** Longer than any socket may take to go: only what is seen again so much later is certain to be left behind. */
const CERTAIN_MS = 30_000;

/** What sweeps must remember of earlier ones. */
export class SweepMemory {
  /** Sockets that were on their way out, and when that was first seen. */
  readonly closing = new Sightings();
  readonly lingering = new Sightings();
  /** Drift of opened less closed that was reported already: it can't be mended, and is one bug, not one a minute. */
  drift = 0;
}

class Sightings {
  #first = new Map<Connection, number>();
  #next = new Map<Connection, number>();

  /** True when it was seen first long enough ago. */
  isOld(connection: Connection, nowMs: number): boolean {
    const firstMs = this.#first.get(connection) ?? nowMs;
    this.#next.set(connection, firstMs);
    return nowMs - firstMs >= CERTAIN_MS;
  }

  /** Forgets what was not seen this time. */
  turn(): void {
    this.#first = this.#next;
    this.#next = new Map();
  }
}

/**
 * Looks at everything once. It yields null for what is as it should be, so that the caller can stop after any number of
 * looks and go on later: things come and go meanwhile, and none of that is mistaken for a finding. Each finding is to
 * be released before the next is asked for.
 *
 * @param nowMs monotonic
 */
export function* findings(
  books: SweepBooks,
  memory: SweepMemory,
  nowMs: number,
): Generator<Finding | null, void> {
  yield* connectionFindings(books, memory, nowMs);
  yield* subscriberFindings(books);
  yield* deadlineFindings(books);
  yield* countFindings(books, memory);
}

function* connectionFindings({ registry, wheel }: SweepBooks, memory: SweepMemory, nowMs: number) {
  for (const connection of registry) {
    const { id, transport } = connection;
    if (connection.isSocketDestroyed && memory.closing.isOld(connection, nowMs)) {
      yield finding(SweepKind.connection, { connection: id, transport }, () =>
        connection.close(CloseReason.server_error, "its socket was gone and nothing had told"),
      );
    } else if (connection.wheelTick < 0) {
      yield finding(SweepKind.unwatched, { connection: id, transport }, () => wheel.arm(connection, 0));
    } else {
      yield null;
    }
  }
  for (const connection of registry.lingering()) {
    const { id, transport, closed } = connection;
    if (!memory.lingering.isOld(connection, nowMs)) {
      yield null;
      continue;
    }
    yield finding(SweepKind.socket, { connection: id, transport, reason: closed }, () => {
      connection.destroySocket();
      connection.socketClosed();
    });
  }
  memory.closing.turn();
  memory.lingering.turn();
}

function* subscriberFindings({ hub, registry }: SweepBooks) {
  for (const topic of hub.topics()) {
    if (!topic.isNeeded) {
      yield finding(SweepKind.topic, { topic: topic.name }, () => hub.reclaimTopic(topic));
      continue;
    }
    for (const subscription of topic.subscribers) yield orphanFinding(subscription, registry);
    yield null;
  }
  for (const group of hub.patterns()) {
    if (group.subscribers.size === 0) {
      yield finding(SweepKind.pattern, { topic: group.matcher.pattern }, () => hub.reclaimPattern(group));
      continue;
    }
    for (const subscription of group.subscribers) yield orphanFinding(subscription, registry);
  }
}

function orphanFinding(subscription: Subscription, registry: ConnectionRegistry): Finding | null {
  const owner = subscriberOf(subscription);
  if (owner === null || (owner.closed === null && registry.get(owner.id) !== undefined)) return null;
  const detail = { topic: subscription.selector.pattern, connection: owner.id };
  return finding(SweepKind.subscriber, detail, () => subscription.close());
}

function* deadlineFindings({ wheel }: SweepBooks) {
  for (const task of wheel.tasks()) {
    if (!(task instanceof Connection) || task.closed === null) yield null;
    else yield finding(SweepKind.deadline, { connection: task.id }, () => wheel.disarm(task));
  }
}

/** All in one step: counts and what they count must be read in the same turn. */
function* countFindings({ hub, registry }: SweepBooks, memory: SweepMemory) {
  const audit = registry.audit();
  if (audit.wrong.length > 0) yield finding(SweepKind.count, { of: audit.wrong }, audit.repair);
  if (audit.drift !== memory.drift) {
    memory.drift = audit.drift;
    // Counters only rise: this one is told, and can't be mended.
    if (audit.drift !== 0) yield finding(SweepKind.count, { of: "opened", by: audit.drift }, () => {});
  }
  const { listed, counted } = hub.countSubscribers();
  if (listed !== counted) {
    yield finding(SweepKind.count, { of: "subscribers", by: counted - listed }, () =>
      hub.recountSubscribers(),
    );
  }
  const held = audit.subscribers;
  if (held > listed) {
    yield finding(SweepKind.count, { of: "connections' subscribers", by: held - listed }, () => {});
  }
}

function finding(kind: SweepKind, detail: Finding["detail"], release: () => void): Finding {
  return { kind, detail, release };
}
