import type { IncomingMessage, ServerResponse } from "node:http";
import { Drain } from "#app/drain.ts";
import { EverySecond } from "#app/every-second.ts";
import { FeedDesk } from "#app/feed-desk.ts";
import { Feeds } from "#app/feeds.ts";
import type { MemoryUse } from "#app/memory-use.ts";
import { endHomeless } from "#app/reload.ts";
import { Sweep } from "#app/sweep.ts";
import { Watchdog } from "#app/watchdog.ts";
import type { Logger } from "#base/logger.ts";
import { TimerWheel } from "#base/timer-wheel.ts";
import type { FeedConfig } from "#config/config.ts";
import { ConnectionRegistry } from "#downstream/connection-registry.ts";
import type { Desk } from "#downstream/desk.ts";
import { DownstreamCounters } from "#downstream/downstream-counters.ts";
import { Flusher } from "#downstream/flusher.ts";
import { mercureHandler } from "#downstream/mercure-handler.ts";
import { ActiveSubscriptions } from "#downstream/mercure-subscriptions.ts";
import { WebSocketEndpoint } from "#downstream/websocket-endpoint.ts";
import { CursorKeeper } from "#upstream/cursor-keeper.ts";
import type { CursorBook } from "#upstream/ports.ts";
import type { SimulatedCursorStore } from "./cursor-store.ts";
import { FeedNetwork } from "./feed-network.ts";
import type { FeedOrigin } from "./feed-origin.ts";
import { LedgeredHub } from "./ledgered-hub.ts";
import { LifeClock } from "./life-clock.ts";
import type { Scenario } from "./scenario.ts";
import { type ClientRequest, SimulatedRequest, SimulatedResponse } from "./simulated-http.ts";
import type { SimulatedSocket } from "./simulated-socket.ts";
import type { UpstreamBook } from "./upstream-book.ts";
import { SimulatedAuthenticator } from "./users.ts";
import type { Wire } from "./wire.ts";
import type { World } from "./world.ts";

/** Precision of connections' deadlines in a run, in milliseconds: coarser than in earnest, as most of a run is quiet. */
const TICK_MS = 500;
/** The same of what is done every second in earnest: old events let go, last event ids written. */
const IDLE_TICK_MS = 5000;

/** What outlives the gateway's processes. */
export interface Surroundings {
  readonly world: World;
  readonly scenario: Scenario;
  readonly origins: ReadonlyMap<string, FeedOrigin>;
  readonly store: SimulatedCursorStore;
}

/** Memory as a run has it: used as far as it says. */
class SimulatedMemory implements MemoryUse {
  /** Share of the limit that is in use. */
  used = CALM_SHARE;

  residentBytes(): number {
    return this.used * MEMORY_BYTES;
  }

  heapShare(): number {
    return 0;
  }

  collect(): void {}
}

const MEMORY_BYTES = 2 ** 30;
const CALM_SHARE = 0.3;

/**
 * One process of the gateway: the real hub, feeds, pools, links, connections, sweep, drain and watchdog, joined as the
 * composition root joins them, over simulated time, network, users and database.
 */
export class GatewayLife {
  readonly number: number;
  readonly clock: LifeClock;
  readonly hub: LedgeredHub;
  readonly feedDesk = new FeedDesk();
  readonly registry: ConnectionRegistry;
  readonly counters = new DownstreamCounters();
  readonly wheel: TimerWheel;
  readonly book: UpstreamBook;
  /** When the configuration last changed, in milliseconds of the run. */
  reloadedAtMs = Number.NEGATIVE_INFINITY;
  readonly memory = new SimulatedMemory();
  /** Of its clients. */
  readonly wires = new Set<Wire>();
  readonly bornMs: number;
  readonly #around: Surroundings;
  readonly #networks: FeedNetwork[] = [];
  /** Those of the configuration in force, by feed. */
  readonly #newest = new Map<string, FeedNetwork>();
  readonly #drain: Drain;
  readonly #sweep: Sweep;
  readonly #seconds: EverySecond;
  readonly #desk: Desk;
  readonly #serve: ReturnType<typeof mercureHandler>;
  readonly #webSockets: WebSocketEndpoint;
  readonly #log: Logger;
  #keeper: CursorKeeper | null = null;
  #feeds: Feeds | null = null;
  #watchdog: Watchdog | null = null;
  #state: "opening" | "serving" | "draining" | "over" = "opening";

  constructor(around: Surroundings, number: number, book: UpstreamBook) {
    const { world, scenario, origins } = around;
    this.#around = around;
    this.number = number;
    this.book = book;
    this.bornMs = world.nowMs;
    const clock = new LifeClock(world);
    this.clock = clock;
    this.#log = alarmLogger(world);
    const chance = world.chance("life", number);
    this.hub = new LedgeredHub(world, `life${number}`, scenario, this.feedDesk, origins, book, clock);
    this.registry = new ConnectionRegistry(this.counters, this.#log, clock);
    this.wheel = new TimerWheel(clock, TICK_MS);
    this.#drain = new Drain({
      registry: this.registry,
      clock,
      timeoutMs: () => scenario.drainMs,
      stayAlive: () => ({ [Symbol.dispose]() {} }),
    });
    const { feedDesk, hub } = this;
    const authenticator = new SimulatedAuthenticator(clock);
    let connections = 0;
    this.#desk = {
      hub,
      authenticator,
      access: {
        anonymous: authenticator.anonymous.subscribe,
        get hasPublicTopics() {
          return feedDesk.hasPublicTopics;
        },
        isPublicTopic: (topic) => feedDesk.isPublicTopic(topic),
      },
      clock,
      random: chance.random,
      log: this.#log,
      wheel: this.wheel,
      flusher: new Flusher(clock, (run) => world.time.turn(() => this.#state === "over" || run())),
      registry: this.registry,
      counters: this.counters,
      limits: scenario.limits,
      heartbeat: scenario.heartbeat,
      slowConsumer: scenario.slowConsumer,
      origins: new Set(),
      resource: { audience: "simulation", issuers: [] },
      subscriptions: new ActiveSubscriptions(hub),
      mercure07: false,
      compression: null,
      schemeOf: () => null,
      nextConnectionId: () => `${number}.${++connections}`,
      isDraining: () => this.#drain.isUnderWay,
      addressOf: (request) => request.socket.remoteAddress ?? "",
    };
    this.#serve = mercureHandler(this.#desk);
    this.#webSockets = new WebSocketEndpoint(this.#desk);
    this.#sweep = new Sweep({ hub, registry: this.registry, wheel: this.wheel }, { clock, log: this.#log });
    this.#seconds = new EverySecond(clock.quiet, () => hub.evict(), IDLE_TICK_MS);
  }

  get isServing(): boolean {
    return this.#state === "serving";
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** How much memory it is short of, when anything. */
  get isShortOfMemory(): boolean {
    return this.#watchdog !== null;
  }

  async open(): Promise<void> {
    const { world, scenario, store, origins } = this.#around;
    const { clock } = this;
    const log = this.#log;
    const context = { clock: clock.quiet, log, saveEveryMs: IDLE_TICK_MS };
    const names = scenario.feeds.map(({ name }) => name);
    this.#keeper = await CursorKeeper.open(store, names, context);
    if (this.#state === "over") return;
    const cursors: CursorBook = this.#keeper;
    const connections = (feed: string) => {
      const name = `${this.number}.${this.#networks.length}`;
      const network = new FeedNetwork(world, origins.get(feed) as FeedOrigin, name);
      this.#networks.push(network);
      this.#newest.set(feed, network);
      return network;
    };
    const { random } = world.chance("feeds", this.number);
    const sink = this.feedDesk.sinkInto(this.hub, (topics) => endHomeless(this.#desk, topics));
    this.#feeds = new Feeds(this.hub, this.feedDesk, { clock, random, log, sink, cursors, connections });
    this.#feeds.prepare(scenario.feeds.map(({ settings }) => settings)).commit();
    this.#state = "serving";
    world.note("serving", this.number);
  }

  /** The feed's connections, those of the newest configuration. */
  networkOf(feed: string): FeedNetwork | null {
    return this.#newest.get(feed) ?? null;
  }

  /** Puts other settings of feeds in force, as a reload does. */
  reload(settings: readonly FeedConfig[]): void {
    if (this.#state !== "serving" || this.#feeds === null) return;
    this.reloadedAtMs = this.#around.world.nowMs;
    endHomeless(this.#desk, this.#feeds.prepare(settings).commit());
  }

  /** A client has connected. Answers false where nobody listens. */
  accept(request: ClientRequest, socket: SimulatedSocket): boolean {
    if (this.#state !== "serving") return false;
    const incoming = new SimulatedRequest(request, socket) as unknown as IncomingMessage;
    this.#around.world.time.disturb();
    if (request.headers.upgrade !== undefined) {
      this.#webSockets.upgrade(incoming, socket, Buffer.alloc(0));
      return true;
    }
    return this.#serve(incoming, new SimulatedResponse(socket) as unknown as ServerResponse);
  }

  /** Memory runs short for a while. */
  squeeze(share: number, forMs: number): void {
    if (this.#watchdog !== null || this.#state !== "serving") return;
    const { hub, registry, clock, memory } = this;
    memory.used = share;
    this.#watchdog = new Watchdog({
      hub,
      registry,
      clock,
      log: this.#log,
      memory,
      limitBytes: () => MEMORY_BYTES,
    });
    const { time } = this.#around.world;
    time.in(forMs, () => {
      memory.used = CALM_SHARE;
    });
    time.in(forMs + RELIEF_MS, () => this.#relieve());
  }

  /** Ends as on SIGTERM. Resolves when all is closed. */
  async drain(): Promise<void> {
    if (this.#state !== "serving") return;
    const { world, scenario } = this.#around;
    const startMs = world.nowMs;
    this.#state = "draining";
    this.#relieve();
    await this.#drain.run();
    if (this.isOver) return;
    if (this.registry.sockets > 0)
      world.breaks("drain", `${this.registry.sockets} sockets are left after the drain`);
    const tookMs = world.nowMs - startMs;
    if (tookMs > scenario.drainMs + 1000) world.breaks("drain", `the drain took ${tookMs} ms`);
    this.#sweep[Symbol.dispose]();
    this.#seconds[Symbol.dispose]();
    this.wheel[Symbol.dispose]();
    await this.#feeds?.[Symbol.asyncDispose]();
    await this.#keeper?.[Symbol.asyncDispose]();
    if (this.isOver) return;
    world.note("drained", this.number, tookMs);
    const left = this.clock.timersPending;
    if (left > 0) world.breaks("released", `${left} timers are left after the drain`);
    const sockets = this.#networks.reduce((sum, network) => sum + network.sockets, 0);
    if (sockets > 0) world.breaks("released", `${sockets} sockets to feeds are left after the drain`);
    this.#end();
  }

  /** The process is killed. */
  kill(): void {
    if (this.isOver) return;
    this.#end();
    for (const network of this.#networks) network.die();
  }

  #end(): void {
    this.#state = "over";
    this.clock.stop();
  }

  #relieve(): void {
    if (this.#watchdog === null) return;
    const { step } = this.#watchdog;
    if (this.isServing && step !== "calm")
      this.#around.world.breaks("refusal", `memory is there again, and the step is ${step}`);
    this.#watchdog[Symbol.dispose]();
    this.#watchdog = null;
    this.hub.squeeze(1);
    this.registry.refuse(null);
  }
}

/** How long after memory is there again everything must be as before. */
const RELIEF_MS = 300_000;

/** What is logged as an error is a bug; but for memory that runs short, which is a run's own doing. */
function alarmLogger(world: World): Logger {
  const say = () => {};
  const error = (fields: object, message: string) => {
    if ("residentBytes" in fields) return;
    world.breaks(
      message.startsWith("the sweep") ? "sweep" : "crash",
      `${message}: ${JSON.stringify(fields)}`,
    );
  };
  return { debug: say, info: say, warn: say, error };
}
