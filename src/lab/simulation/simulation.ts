import { Checks, PULSE_MS } from "./checks.ts";
import type { Client, Door } from "./client.ts";
import { SimulatedCursorStore } from "./cursor-store.ts";
import { FeedOrigin } from "./feed-origin.ts";
import { GatewayLife, type Surroundings } from "./gateway-life.ts";
import { libraryTimersOn } from "./library-timers.ts";
import { DAY_MS, type Fault, type FaultKind, planOf } from "./plan.ts";
import type { BrokenPromise } from "./promises.ts";
import { type Cut, type Scenario, scenarioOf } from "./scenario.ts";
import { SseClient } from "./sse-client.ts";
import { UpstreamBook } from "./upstream-book.ts";
import { WebSocketClient } from "./websocket-client.ts";
import { World } from "./world.ts";

/** Which run it is. The same one again is the same to the byte. */
export interface RunSettings extends Cut {
  readonly seed: number;
  readonly days: number;
  /** Numbers of the plan's faults that happen, from 0; absent: all. */
  readonly faults?: readonly number[] | undefined;
  /** Told each line of what happens. */
  readonly tell?: ((line: string) => void) | undefined;
  /** Told now and then how far it is, in milliseconds of the run. */
  readonly onProgress?: ((atMs: number) => void) | undefined;
  /** Gives the run up: `simulate` throws its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What became of a run. */
export interface RunOutcome {
  readonly seed: number;
  readonly days: number;
  /** Null: every promise was kept. */
  readonly broken: BrokenPromise | null;
  /** Of everything that happened. */
  readonly digest: string;
  readonly steps: number;
  readonly faults: number;
  readonly connections: number;
  /** Events that clients got. */
  readonly deliveries: number;
  readonly lives: number;
  readonly published: number;
}

/** How long after the last fault everybody must be served again, and what nobody wants be forgotten, in milliseconds. */
const CALM_MS = 900_000;
const QUIET_MS = 2_400_000;
/** Lives that are remembered: what was under way to a client when one ended may come minutes later. */
const LIVES_MAX = 8;
/** Lateness of what a run shows of its progress, in milliseconds of the run. */
const PROGRESS_MS = 3_600_000;

/** Runs one simulation, to its end or to the first broken promise. */
export async function simulate(settings: RunSettings): Promise<RunOutcome> {
  const simulation = new Simulation(settings);
  using _timers = libraryTimersOn(simulation.world);
  return await simulation.run();
}

class Simulation implements Door {
  readonly world: World;
  readonly scenario: Scenario;
  readonly lives = new Map<string, GatewayLife>();
  #lifeCount = 0;
  life: GatewayLife;
  readonly #settings: RunSettings;
  readonly #around: Surroundings;
  readonly #clients: readonly (SseClient | WebSocketClient)[];
  readonly #checks: Checks;
  readonly #plan: readonly Fault[];
  /** The last event of each topic, over all lives. */
  readonly #published = new Map<string, number>();
  #isEnding = false;
  #nextStartMs = 0;

  constructor(settings: RunSettings) {
    const { seed, days } = settings;
    const world = new World(seed, settings.tell ?? null);
    this.#settings = settings;
    this.world = world;
    this.scenario = scenarioOf(seed, settings);
    const origins = new Map(this.scenario.feeds.map((plan) => [plan.name, new FeedOrigin(world, plan)]));
    this.#around = { world, scenario: this.scenario, origins, store: new SimulatedCursorStore(world) };
    const chosen = settings.faults === undefined ? null : new Set(settings.faults);
    this.#plan = planOf(seed, days, scenarioOf(seed)).filter((_, at) => chosen === null || chosen.has(at));
    this.life = this.#begin();
    this.#clients = this.scenario.clients.map((plan) =>
      plan.transport === "sse" ? new SseClient(world, this, plan) : new WebSocketClient(world, this, plan),
    );
    this.#checks = new Checks(world, this.scenario, origins);
  }

  async run(): Promise<RunOutcome> {
    const { world } = this;
    const { seed, days, onProgress, signal } = this.#settings;
    for (const fault of this.#plan) world.time.in(fault.atMs, () => this.#befall(fault.what));
    this.#pulse();
    const endMs = days * DAY_MS;
    if (onProgress !== undefined) this.#progress(onProgress);
    try {
      await this.#until(endMs);
      await this.#calm();
      await this.#end();
    } catch (error) {
      if (signal?.aborted) throw error;
      world.threw(error);
    }
    return {
      seed,
      days,
      broken: world.broken,
      digest: world.trace.digest(),
      steps: world.time.steps,
      faults: this.#plan.length,
      connections: this.#clients.reduce((sum, client) => sum + client.connections, 0),
      deliveries: this.#clients.reduce((sum, client) => sum + client.events, 0),
      lives: this.#lifeCount,
      published: [...this.#around.origins.values()].reduce((sum, origin) => sum + origin.lastSerial, 0),
    };
  }

  async #until(atMs: number): Promise<void> {
    const { world } = this;
    const { signal } = this.#settings;
    if (world.broken !== null) return;
    await world.time.runUntil(atMs, (isQuiet) => {
      if (!isQuiet) this.#checks.step(this.life);
      return world.broken === null && signal?.aborted !== true;
    });
    signal?.throwIfAborted();
  }

  /** No faults any more: what is published now reaches everybody who is there. */
  async #calm(): Promise<void> {
    const { world } = this;
    await this.#until(world.nowMs + CALM_MS);
    for (const origin of this.#around.origins.values()) origin.speak();
    await this.#until(world.nowMs + 2 * PULSE_MS);
    for (const client of this.#clients) client.check();
  }

  /** Everybody leaves; then nothing is left. */
  async #end(): Promise<void> {
    const { world } = this;
    this.#isEnding = true;
    for (const client of this.#clients) client.retire();
    for (const origin of this.#around.origins.values()) origin.stop();
    await this.#until(world.nowMs + QUIET_MS);
    if (world.broken !== null) return;
    const { hub, registry, wheel, feedDesk } = this.life;
    const stats = hub.stats();
    const left = {
      connections: registry.size,
      sockets: registry.sockets,
      subscribers: stats.subscribers,
      patterns: stats.patterns,
      topics: stats.topics,
      states: stats.topicsWithState,
      stateBytes: stats.stateBytes,
      logBytes: stats.logBytes,
      deadlines: wheel.size,
      keys: feedDesk.keys,
      wires: this.life.wires.size,
    };
    for (const [what, count] of Object.entries(left)) {
      if (count !== 0) world.breaks("released", `${count} ${what} are left when everybody has gone`);
    }
    world.time.in(0, () => this.life.drain());
    await this.#until(world.nowMs + 120_000);
    if (!this.life.isOver) world.breaks("drain", "the gateway does not end");
  }

  #begin(): GatewayLife {
    const { scenario, store, world } = this.#around;
    const resumes = new Map<string, number>();
    // Nor does the one after it know where the one before it stood.
    if (store.fails) this.#published.clear();
    for (const { name, hasIds, settings, keys } of scenario.feeds) {
      // Without its database a life begins where it is, as one that never was before.
      for (const key of store.fails ? [] : keys) {
        const topic = settings.topic.replace("{key}", key);
        const n = this.#published.get(topic);
        const stored = store.idOf(name, settings.addressing === "none" ? "" : key);
        // A key that joins a link of others may begin where that one is.
        const isAlone = settings.addressing !== "keys" && settings.state !== "merge";
        if (n !== undefined && hasIds && isAlone && stored !== "") resumes.set(topic, n);
      }
    }
    const book = new UpstreamBook(world, resumes);
    const life = new GatewayLife(this.#around, ++this.#lifeCount, book);
    this.lives.set(life.hub.epoch, life);
    const [oldest] = this.lives.keys();
    if (this.lives.size > LIVES_MAX) this.lives.delete(oldest as string);
    world.time.in(0, () => life.open());
    return life;
  }

  /** The process is over, one way or the other; the next one begins later. */
  #replace(life: GatewayLife, inMs: number): void {
    const { world } = this;
    this.#nextStartMs = world.nowMs + inMs;
    world.time.in(inMs, () => {
      if (this.life !== life || world.nowMs < this.#nextStartMs) return;
      if (!life.isOver) {
        world.breaks("drain", `the gateway does not end within ${inMs} ms`);
        return;
      }
      for (const [topic, n] of life.book.entries()) {
        if (n === null) this.#published.delete(topic);
        else this.#published.set(topic, n);
      }
      this.life = this.#begin();
    });
  }

  #befall(what: FaultKind): void {
    const { world, life } = this;
    if (this.#isEnding) return;
    world.time.disturb();
    world.note("fault", JSON.stringify(what));
    const origin = "feed" in what ? this.#originAt(what.feed) : null;
    const client =
      "client" in what ? this.#clients[what.client % Math.max(1, this.#clients.length)] : undefined;
    const chance = world.chance("fault", world.nowMs);
    const some = (share: number) => chance.some(this.#clients, Math.ceil(share * this.#clients.length));
    switch (what.kind) {
      case "cut":
        origin?.cuts(what.share, what.how);
        return;
      case "storm":
        if (origin !== null) origin.isTroubled();
        life.networkOf(origin?.plan.name ?? "")?.cutAll();
        return;
      case "mood":
        origin?.feels(what.mood, what.forMs);
        return;
      case "reject":
        origin?.rejects(origin.plan.keys[what.key % origin.plan.keys.length] as string, what.forMs);
        origin?.cuts(1, "reset");
        return;
      case "flood":
        origin?.floods(what.events, what.bytes);
        return;
      case "reset":
        for (const each of some(what.share)) each.cutOff();
        return;
      case "partition":
        for (const each of some(what.share)) each.silence(world.nowMs + what.forMs);
        return;
      case "vanish":
        client?.vanish(what.forMs);
        return;
      case "stall":
        client?.stopReading(what.forMs);
        return;
      case "slow flood":
        client?.stopReading(what.forMs);
        this.#floodFor(client ?? null, what.events);
        return;
      case "turn":
        if (client instanceof SseClient) client.forget();
        else client?.turn();
        return;
      case "chat":
        if (client instanceof WebSocketClient) client.publish(what.topic);
        return;
      case "kill":
        for (const wire of [...life.wires]) wire.die();
        life.kill();
        this.#replace(life, what.forMs);
        return;
      case "restart":
        this.#replace(life, Math.max(what.forMs, this.scenario.drainMs + 2000));
        return void life.drain();
      case "reload":
        life.reload(
          this.scenario.feeds.map(({ name, settings }) =>
            name === origin?.plan.name
              ? { ...settings, pool: { ...settings.pool, lingerMs: what.lingerMs } }
              : settings,
          ),
        );
        return;
      case "squeeze":
        for (const each of this.#clients) each.silence(world.nowMs);
        life.squeeze(what.share, what.forMs);
        return;
      case "store fails":
        this.#around.store.failUntil(world.nowMs + what.forMs);
        return;
    }
  }

  #floodFor(client: Client | null, events: number): void {
    const [, feed = "", key = ""] = client?.anyTopic?.split("/") ?? [];
    this.#around.origins.get(feed)?.floods(events, 1500, key);
  }

  #originAt(at: number): FeedOrigin | null {
    const name = this.scenario.feeds[at % Math.max(1, this.scenario.feeds.length)]?.name ?? "";
    return this.#around.origins.get(name) ?? null;
  }

  #pulse(): void {
    this.world.time.in(PULSE_MS, () => {
      this.#checks.pulse(this.life, this.#clients as readonly Client[]);
      this.#pulse();
    });
  }

  #progress(onProgress: (atMs: number) => void): void {
    this.world.time.in(PROGRESS_MS, () => {
      onProgress(this.world.nowMs);
      this.#progress(onProgress);
    });
  }
}
