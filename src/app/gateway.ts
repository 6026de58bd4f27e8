/**
 * Room `app`: the composition root, the only room that knows every room. It opens them in order, joins them, and
 * closes them in reverse.
 */
import { randomUUID } from "node:crypto";
import { Accounts } from "#auth/accounts.ts";
import { GatewayAuthenticator } from "#auth/gateway-authenticator.ts";
import { isRevokedBy } from "#auth/identity.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import type { Config } from "#config/config.ts";
import { ConnectionRegistry } from "#downstream/connection-registry.ts";
import type { Desk } from "#downstream/desk.ts";
import { DownstreamCounters } from "#downstream/downstream-counters.ts";
import { Flusher } from "#downstream/flusher.ts";
import { ActiveSubscriptions } from "#downstream/mercure-subscriptions.ts";
import { Transport } from "#downstream/transport.ts";
import { Hub } from "#hub/hub.ts";
import { ErrorJournal } from "#ops/error-journal.ts";
import { ErrorKeeper } from "#ops/error-keeper.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { openStorage, type Storage } from "#storage/storage.ts";
import { CursorKeeper } from "#upstream/cursor-keeper.ts";
import { type ConfigText, ConnectionsView, FeedsView } from "./admin/admin.ts";
import { closeAll } from "./closing.ts";
import { breakFeeds, CursorsAcrossLives } from "./cursors-across-lives.ts";
import { descriptorLimit, socketsMax } from "./descriptors.ts";
import { Drain } from "./drain.ts";
import { EverySecond } from "./every-second.ts";
import { FeedDesk } from "./feed-desk.ts";
import { Feeds } from "./feeds.ts";
import { Listener } from "./listener.ts";
import { LiveSettings } from "./live-settings.ts";
import { LogPersistence, newEpoch } from "./log-persistence.ts";
import { memoryLimitBytes } from "./memory-limit.ts";
import { processMemory } from "./memory-use.ts";
import { endHomeless, reload } from "./reload.ts";
import { serveOn } from "./routes.ts";
import { Sweep } from "./sweep.ts";
import { TlsFiles } from "./tls-files.ts";
import { Watchdog } from "./watchdog.ts";

/** How long clients' sockets may take to go when the gateway is closed without a drain, in milliseconds. */
const HARD_END_MS = 1000;

export interface GatewayOptions {
  readonly log: Logger;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** The configuration in force as administrators read it, secrets hidden. Default: none is shown. */
  readonly configText?: () => ConfigText;
}

/** What the books say now. With nobody connected and nothing lingering, all but the state of topics is zero. */
export interface GatewayStats {
  readonly connections: Readonly<Record<Transport, number>>;
  /** Sockets of clients, of those that hand over their last bytes too. */
  readonly sockets: number;
  readonly subscribers: number;
  readonly topics: number;
  readonly topicsWithState: number;
  /** Keys asked of feeds, those that linger included. */
  readonly keys: number;
  /** HTTP/2 sessions, of those on which no stream is open too. */
  readonly sessions: number;
  /** Connections' deadlines. */
  readonly deadlines: number;
}

/** Everything that the gateway is made of, opened in order. */
interface Parts {
  readonly live: LiveSettings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly storage: Storage;
  readonly authenticator: GatewayAuthenticator;
  readonly hub: Hub;
  readonly feedDesk: FeedDesk;
  readonly feeds: Feeds;
  readonly desk: Desk;
  readonly registry: ConnectionRegistry;
  readonly wheel: TimerWheel;
  readonly counters: DownstreamCounters;
  readonly listener: Listener;
  readonly tls: TlsFiles | null;
  readonly drain: Drain;
  readonly sweep: Sweep;
  /** An administrator's wish for the end, as soon as there is somebody to grant it. */
  readonly wishes: { drain: (cause: string) => void };
}

/**
 * One gateway, from its configuration to its end.
 *
 *     open ──> serving ──drain──> refusing, saying goodbye ──> closed
 */
export class Gateway implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #stack: AsyncDisposableStack;
  readonly #over = Promise.withResolvers<void>();
  #ending: Promise<void> | null = null;

  private constructor(parts: Parts, stack: AsyncDisposableStack) {
    this.#parts = parts;
    this.#stack = stack;
    parts.wishes.drain = (cause) => void this.drain(cause);
  }

  /** Resolves when it has drained, whoever wished for it. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /**
   * Opens everything and listens. What was opened is closed again when a later part fails.
   *
   * @throws TlsError, StorageError or ListenError: each says what is wrong and what to do
   */
  static async open(config: Config, options: GatewayOptions): Promise<Gateway> {
    await using stack = new AsyncDisposableStack();
    const parts = await openParts(config, options, stack);
    await parts.listener.open();
    return new Gateway(parts, stack.move());
  }

  /** Where clients reach it, such as `http://127.0.0.1:8080`. */
  get url(): string {
    return this.#parts.listener.address.url;
  }

  get hub(): Hub {
    return this.#parts.hub;
  }

  /** Adds a user to the database. Throws `AccountError`. */
  async addUser(name: string, password: string, role: string): Promise<void> {
    const { storage, clock } = this.#parts;
    await new Accounts({ users: storage.users, sessions: storage.sessions, clock }).add(name, password, role);
  }

  stats(): GatewayStats {
    const { registry, hub, feedDesk, wheel, listener } = this.#parts;
    const { subscribers, topics, topicsWithState } = hub.stats();
    return {
      connections: { sse: registry.count(Transport.sse), websocket: registry.count(Transport.websocket) },
      sockets: registry.sockets,
      subscribers,
      topics,
      topicsWithState,
      keys: feedDesk.keys,
      sessions: listener.sessions,
      deadlines: wheel.size,
    };
  }

  /** Connections opened and closed since the start. Their difference is what is open. */
  totals(): { readonly opened: number; readonly closed: number } {
    const { opened, closed } = this.#parts.counters;
    return { opened: opened.total, closed: closed.total };
  }

  /** Looks now for what should not exist, as it does every minute. Answers how much was found and released, ever. */
  sweep(): number {
    const { sweep } = this.#parts;
    sweep.run();
    return sweep.reclaimed.total;
  }

  /** Sends every client away in a way that lets it come back. Answers how many there were. */
  cutConnections(): number {
    return this.#parts.registry.closeWhere(() => true, CloseReason.forced_reconnect);
  }

  /**
   * Takes over another configuration without dropping connections, all of it or nothing, and reads the certificate
   * and its key again. The log says what changed, or why nothing did.
   *
   * @param config default: the one in force
   * @returns whether it is in force now
   */
  reload(config: Config = this.#parts.live.config): boolean {
    if (this.#ending !== null) return false;
    return reload(this.#parts, config);
  }

  /** Stops accepting, says goodbye to every client over a while, and closes everything. Idempotent. */
  drain(cause: string): Promise<void> {
    this.#ending ??= this.#end(cause);
    return this.#ending;
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#ending ??= closeAll(this.#stack, this.#parts);
    return this.#ending;
  }

  async #end(cause: string): Promise<void> {
    const { drain, log } = this.#parts;
    log.info({ cause, connections: this.#parts.registry.size }, "draining");
    const { cut, durationMs } = await drain.run();
    await closeAll(this.#stack, this.#parts);
    log.info({ cut, durationMs: Math.round(durationMs) }, "drained");
    this.#over.resolve();
  }
}

async function openParts(
  config: Config,
  { log, clock = new SystemClock(), configText = () => ({ yaml: "", file: null }) }: GatewayOptions,
  stack: AsyncDisposableStack,
): Promise<Parts> {
  const live = new LiveSettings(config);
  const tls = config.tls === null ? null : TlsFiles.load(config.tls, clock);
  const storage = stack.use(await openStorage(config.database, { clock, logger: log }));
  const { groups: errors } = stack.use(await ErrorKeeper.open(storage.errors, { clock, log }));
  const journal = stack.use(new ErrorJournal(log, clock, errors));
  const authenticator = stack.use(
    await GatewayAuthenticator.open({
      settings: config.auth,
      mercure07: config.compat.mercure07,
      users: storage.users,
      sessions: storage.sessions,
      keys: storage.keys,
      clock,
      log,
    }),
  );
  const feedDesk = new FeedDesk();
  const persistence =
    config.log.persist === null
      ? null
      : stack.use(
          await LogPersistence.open(config.log.persist, {
            clock,
            log,
            journal,
            bytesMax: () => live.log.bytesMax,
          }),
        );
  const hub = new Hub({
    epoch: persistence?.epoch ?? newEpoch(),
    log: live.log,
    stateBytesMax: config.log.stateBytesMax,
    nowMs: () => clock.nowMs(),
    demand: feedDesk,
  });
  await persistence?.attach(hub);
  const counters = new DownstreamCounters();
  const registry = new ConnectionRegistry(counters, log, clock);
  const connections = new ConnectionsView({ registry, hub, clock, errors });
  registry.observer = connections;
  const wheel = stack.use(new TimerWheel(clock));
  const drain = new Drain({ registry, clock, timeoutMs: () => live.config.drain.timeoutMs });
  const feedNames = config.feeds.map(({ name }) => name);
  const keeper = stack.use(await CursorKeeper.open(storage.linkCursors, feedNames, { clock, log }));
  const cursors = new CursorsAcrossLives(keeper, persistence?.cursorsBefore ?? null);
  persistence?.closesWith(() => cursors.last);
  const feedsView = new FeedsView({ clock, errors });
  const context = {
    clock,
    random: Math.random,
    log,
    sink: feedDesk.sinkInto(hub, (topics) => endHomeless({ hub }, topics)),
    cursors,
    observer: feedsView,
  };
  const feeds = stack.use(new Feeds(hub, feedDesk, context));
  feeds.prepare(config.feeds).commit();
  cursors.resume(feedDesk.feeds, hub);
  if (persistence?.before === "level") breakFeeds(feedDesk.feeds, hub);
  const desk: Desk = {
    hub,
    authenticator,
    access: {
      get anonymous() {
        return authenticator.anonymous.subscribe;
      },
      get hasPublicTopics() {
        return feedDesk.hasPublicTopics;
      },
      isPublicTopic: (topic) => feedDesk.isPublicTopic(topic),
    },
    clock,
    random: Math.random,
    log,
    wheel,
    flusher: new Flusher(clock),
    registry,
    counters,
    get limits() {
      return live.config.limits;
    },
    get heartbeat() {
      return live.config.heartbeat;
    },
    get slowConsumer() {
      return live.config.slowConsumer;
    },
    origins: live.origins,
    subscriptions: new ActiveSubscriptions(hub),
    get resource() {
      return live.resource;
    },
    mercure07: config.compat.mercure07,
    nextConnectionId: randomUUID,
    isDraining: () => drain.isUnderWay,
    compression: config.listen.compression,
    schemeOf: (request) => live.schemeOf(request),
    addressOf: (request) => live.addressOf(request),
  };
  stack.use(
    authenticator.onRevoked((filter) => {
      registry.closeWhere(({ identity }) => isRevokedBy(identity, filter), CloseReason.forced_disconnect);
    }),
  );
  const sweep = stack.use(new Sweep({ hub, registry, wheel }, { clock, log }));
  const limitBytes = () => memoryLimitBytes(live.config.limits.memory);
  const watchdog = stack.use(new Watchdog({ hub, registry, clock, log, memory: processMemory, limitBytes }));
  const listener = stack.use(
    new Listener({
      ...config.listen,
      tls: tls?.context ?? null,
      clock,
      sessionsMax: (address) => live.sessionsMax(address),
      keepAliveMs: () => live.config.heartbeat.intervalMs,
    }),
  );
  drain.stopsAccepting(listener);
  const softLimit = descriptorLimit();
  const limitSockets = () => {
    const { feeds: settings, limits } = live.config;
    const links = settings.reduce((sum, feed) => sum + feed.pool.linksMax, 0);
    const max = socketsMax(limits.connections, links, softLimit);
    listener.limitSockets(max);
    return max;
  };
  const max = limitSockets();
  if (max < config.limits.connections) {
    log.warn(
      { sockets: max, descriptors: softLimit, connections: config.limits.connections },
      "the system allows fewer open files than limits.connections needs: raise its limit (ulimit -n, LimitNOFILE)",
    );
  }
  stack.use(
    new EverySecond(clock, () => {
      hub.evict();
      persistence?.look();
      limitSockets();
    }),
  );
  // After a drain this finds nothing to do; without one, clients are sent away at once. The listener closes after it,
  // since it waits for their sockets.
  stack.defer(async () => void (await drain.run(HARD_END_MS)));
  const wishes = { drain: (_cause: string) => {} };
  const admin = await serveOn(listener, {
    live,
    desk,
    feedDesk,
    storage,
    authenticator,
    journal,
    errors,
    tls,
    sweep,
    watchdog,
    persistence,
    connections,
    feeds: feedsView,
    configText,
    drain: (cause) => wishes.drain(cause),
  });
  stack.use(new EverySecond(clock, () => admin.tick()));
  return {
    live,
    clock,
    log,
    storage,
    authenticator,
    hub,
    feedDesk,
    feeds,
    desk,
    registry,
    wheel,
    counters,
    listener,
    tls,
    drain,
    sweep,
    wishes,
  };
}
