import type { Identity } from "#auth/identity.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import { TokenBucket } from "#base/token-bucket.ts";
import { CLOSE_REASONS, CloseReason } from "#protocol/close-reason.ts";
import type { AdmissionVerdict } from "./admission.ts";
import { admit } from "./admission.ts";
import { BodyBudget } from "./body-budget.ts";
import type { Connection } from "./connection.ts";
import type { DownstreamLimits } from "./desk.ts";
import type { DownstreamCounters } from "./downstream-counters.ts";
import { CONNECTION_BYTES } from "./heaviest.ts";
import { Transport } from "./transport.ts";

/** What a look at every connection says of the book's counts. */
export interface RegistryAudit {
  /** The counts that disagree with the connections: `users`, `addresses`, `transports`. */
  readonly wrong: readonly string[];
  /** Connections opened less those closed less those that are open; zero, always. */
  readonly drift: number;
  /** Subscribers of all connections. */
  readonly subscribers: number;
  /** Takes the connections' word for the counts. To be called in the same turn. */
  repair(): void;
}

/** Called synchronously at each end of a connection; must not throw. */
export interface ConnectionObserver {
  ended(connection: Connection, reason: CloseReason, durationS: number, detail: string | undefined): void;
}

/**
 * The book of connections: who is in, how many per transport, user and address. A connection enters when its socket is
 * its own and leaves in its `close`; opened minus closed equals active, always.
 */
export class ConnectionRegistry implements Iterable<Connection> {
  /** What the bodies under way of those who publish may take, and of those who ask for streams, signed in or not. */
  readonly bodies = new BodyBudget();
  readonly queries = new BodyBudget();
  readonly #connections = new Map<string, Connection>();
  readonly #ofUser = new Map<string, number>();
  readonly #ofAddress = new Map<string, number>();
  readonly #ofTransport: Record<Transport, number> = { sse: 0, websocket: 0 };
  /** Closed connections whose sockets still hand over their last bytes. */
  readonly #lingering = new Set<Connection>();
  readonly #counters: DownstreamCounters;
  readonly #log: Logger;
  #onEmpty: (() => void)[] = [];
  #refusing: "memory" | null = null;
  /** Told of memory that connections take, in bytes, roughly. */
  #onTaken: ((bytes: number) => void) | null = null;
  readonly #arrivals = new TokenBucket();
  readonly #clock: Clock;
  /** Null: nobody is told. */
  observer: ConnectionObserver | null = null;

  constructor(counters: DownstreamCounters, log: Logger, clock: Clock) {
    this.#clock = clock;
    this.#counters = counters;
    this.#log = log;
  }

  get size(): number {
    return this.#connections.size;
  }

  /** Sockets that are not gone yet, of connections open and closed. */
  get sockets(): number {
    return this.#connections.size + this.#lingering.size;
  }

  count(transport: Transport): number {
    return this.#ofTransport[transport];
  }

  /** Has somebody told of the memory that connections take, as they take it. It must not end any. */
  meter(onTaken: ((bytes: number) => void) | null): void {
    this.#onTaken = onTaken;
  }

  /** Lets nobody in from now on, and says why; null: the limits decide again. */
  refuse(why: "memory" | null): void {
    this.#refusing = why;
  }

  /**
   * Whether another connection may come in, before its identity is known or after. Before, it counts as an arrival, of
   * which there may be so many a second.
   */
  admit(
    address: string,
    identity: Identity | null,
    limits: DownstreamLimits,
    draining: boolean,
  ): AdmissionVerdict {
    const user = identity === null ? null : userKey(identity);
    const verdict = admit(
      {
        connections: this.#connections.size,
        ofUser: user === null ? 0 : (this.#ofUser.get(user) ?? 0),
        ofAddress: this.#ofAddress.get(address) ?? 0,
        draining,
        refusing: this.#refusing,
      },
      limits,
    );
    if (verdict !== null || identity !== null) return verdict;
    const { connectionsPerSecond } = limits;
    const isInTime = this.#arrivals.take(
      this.#clock.monotonicMs(),
      connectionsPerSecond,
      connectionsPerSecond,
    );
    return isInTime ? null : "connectionsPerSecond";
  }

  /** Connections that one user has; anonymous ones are counted by address only. */
  connectionsOf(identity: Identity): number {
    const user = userKey(identity);
    return user === null ? 0 : (this.#ofUser.get(user) ?? 0);
  }

  add(connection: Connection): void {
    this.#onTaken?.(CONNECTION_BYTES);
    this.#connections.set(connection.id, connection);
    this.#ofTransport[connection.transport]++;
    increment(this.#ofAddress, connection.address);
    const user = userKey(connection.identity);
    if (user !== null) increment(this.#ofUser, user);
    this.#counters.opened.add(connection.transport);
    // A WebSocket client has yet to say who it is.
    if (connection.transport === Transport.sse) this.#tellOpened(connection);
  }

  /** A WebSocket connection signed in, as nobody perhaps, or in anew as the same user. */
  identify(connection: Connection, identity: Identity): void {
    const before = userKey(connection.identity);
    const after = userKey(identity);
    connection.identity = identity;
    if (before === after && after !== null) return;
    if (before !== null) decrement(this.#ofUser, before);
    if (after !== null) increment(this.#ofUser, after);
    this.#tellOpened(connection);
  }

  /** Called by the connection's `close`, once. */
  remove(connection: Connection, reason: CloseReason, durationS: number, detail: string | undefined): void {
    const { transport } = connection;
    if (!this.#connections.delete(connection.id)) return;
    if (!connection.isSocketClosed) this.#lingering.add(connection);
    this.#ofTransport[transport]--;
    decrement(this.#ofAddress, connection.address);
    const user = userKey(connection.identity);
    if (user !== null) decrement(this.#ofUser, user);
    this.#count(transport, reason, durationS);
    this.#log.info(
      {
        connection: connection.id,
        transport,
        address: connection.address,
        user: connection.identity.user,
        reason,
        detail: detail ?? CLOSE_REASONS[reason].meaning,
        durationS: Math.round(durationS * 1000) / 1000,
      },
      "connection closed",
    );
    this.observer?.ended(connection, reason, durationS, detail);
    this.#settle();
  }

  /** A connection's socket is gone. */
  socketClosed(connection: Connection): void {
    this.#lingering.delete(connection);
    this.#settle();
  }

  /** Ends every connection that the filter picks. Answers how many. */
  closeWhere(pick: (connection: Connection) => boolean, reason: CloseReason, detail?: string): number {
    const picked = [...this.#connections.values()].filter(pick);
    for (const connection of picked) connection.close(reason, detail);
    return picked.length;
  }

  /** Resolves when no connection and no socket is left. */
  async empty(): Promise<void> {
    if (this.sockets === 0) return;
    await new Promise<void>((resolve) => this.#onEmpty.push(resolve));
  }

  /** Destroys what still lingers: the hard end of a drain. */
  destroyAll(): void {
    for (const connection of this.#lingering) connection.destroySocket();
  }

  /** Connections that have ended and whose sockets are not gone yet, for the sweep. */
  lingering(): IterableIterator<Connection> {
    return this.#lingering.values();
  }

  /** What the counts should be, by the connections themselves. One pass over all of them. */
  audit(): RegistryAudit {
    const ofUser = new Map<string, number>();
    const ofAddress = new Map<string, number>();
    const ofTransport: Record<Transport, number> = { sse: 0, websocket: 0 };
    let subscribers = 0;
    for (const connection of this.#connections.values()) {
      ofTransport[connection.transport]++;
      increment(ofAddress, connection.address);
      const user = userKey(connection.identity);
      if (user !== null) increment(ofUser, user);
      subscribers += connection.subscriberCount;
    }
    const wrong: string[] = [];
    if (!sameCounts(ofUser, this.#ofUser)) wrong.push("users");
    if (!sameCounts(ofAddress, this.#ofAddress)) wrong.push("addresses");
    if (ofTransport.sse !== this.#ofTransport.sse || ofTransport.websocket !== this.#ofTransport.websocket)
      wrong.push("transports");
    const { opened, closed } = this.#counters;
    return {
      wrong,
      subscribers,
      drift: opened.total - closed.total - this.#connections.size,
      repair: () => {
        replaceCounts(this.#ofUser, ofUser);
        replaceCounts(this.#ofAddress, ofAddress);
        Object.assign(this.#ofTransport, ofTransport);
      },
    };
  }

  get(id: string): Connection | undefined {
    return this.#connections.get(id);
  }

  [Symbol.iterator](): Iterator<Connection> {
    return this.#connections.values();
  }

  /** Sums over all connections, for metrics. */
  sums(): { subscribers: Record<Transport, number>; queuedBytes: number } {
    const subscribers: Record<Transport, number> = { sse: 0, websocket: 0 };
    let queuedBytes = 0;
    for (const connection of this.#connections.values()) {
      subscribers[connection.transport] += connection.subscriberCount;
      queuedBytes += connection.queuedBytes;
    }
    return { subscribers, queuedBytes };
  }

  /** One line for its coming and its signing in: a storm of clients is a storm of lines. */
  #tellOpened({ id, transport, address, identity }: Connection): void {
    this.#log.info(
      { connection: id, transport, address, user: identity.user, role: identity.role },
      "connection opened",
    );
  }

  #count(transport: Transport, reason: CloseReason, durationS: number): void {
    this.#counters.closed.add(`${transport}:${reason}`);
    this.#counters.durationS[transport].observe(durationS);
    if (reason === CloseReason.connection_reset) this.#counters.resets.add("downstream");
    if (reason === CloseReason.slow_consumer) this.#counters.slowConsumers.add("disconnect");
    if (transport === Transport.sse && reason !== CloseReason.client_closed)
      this.#counters.sseDrops.add(reason);
  }

  #settle(): void {
    if (this.sockets > 0 || this.#onEmpty.length === 0) return;
    const waiting = this.#onEmpty;
    this.#onEmpty = [];
    for (const resolve of waiting) resolve();
  }
}

function userKey(identity: Identity): string | null {
  return identity.kind === "anonymous" ? null : identity.user;
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function decrement(counts: Map<string, number>, key: string): void {
  const left = (counts.get(key) ?? 0) - 1;
  if (left > 0) counts.set(key, left);
  else counts.delete(key);
}

function sameCounts(left: ReadonlyMap<string, number>, right: ReadonlyMap<string, number>): boolean {
  if (left.size !== right.size) return false;
  for (const [key, count] of left) {
    if (right.get(key) !== count) return false;
  }
  return true;
}

function replaceCounts(counts: Map<string, number>, by: ReadonlyMap<string, number>): void {
  counts.clear();
  for (const [key, count] of by) counts.set(key, count);
}
