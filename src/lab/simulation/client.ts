import type { Chance } from "./chance.ts";
import type { GatewayLife } from "./gateway-life.ts";
import type { Reading } from "./reading.ts";
import type { ClientPlan, Scenario } from "./scenario.ts";
import type { ClientRequest } from "./simulated-http.ts";
import { tokenFor } from "./users.ts";
import { Wire, type WireClient } from "./wire.ts";
import type { World } from "./world.ts";

/** What clients see of the gateway: its address. */
export interface Door {
  /** The process that runs, or ran last. */
  readonly life: GatewayLife;
  /** Every life of late by its epoch, so that a client can be told which one it got. */
  readonly lives: ReadonlyMap<string, GatewayLife>;
  readonly scenario: Scenario;
}

/** How long after a trouble of its own a client must have everything again, in milliseconds. */
const CALM_MS = 60_000;
/** How old an event may be at most that has not come. */
const LATE_MS = 8000;

/**
 * One client: comes, stays, leaves, comes back where it left off, and checks everything that it is told. What its
 * transport makes of it its subclasses know.
 *
 *     away ──comes──> connecting ──> there ──leaves, is cut, is sent away──> away
 */
export abstract class Client {
  readonly plan: ClientPlan;
  protected readonly world: World;
  protected readonly door: Door;
  protected readonly chance: Chance;
  protected wire: Wire | null = null;
  /** Number of the connection; what an older one still says is ignored. */
  #connection = 0;
  #isRetired = false;
  #comesBack: object | null = null;
  /** When it last was not in a state to be served. */
  #troubledAtMs = Number.NEGATIVE_INFINITY;
  #lastByteAtMs = 0;
  connections = 0;
  events = 0;

  constructor(world: World, door: Door, plan: ClientPlan) {
    this.world = world;
    this.door = door;
    this.plan = plan;
    this.chance = world.chance("life of", plan.name);
    this.#comeIn(this.chance.between(0, 60_000));
  }

  get isConnected(): boolean {
    return this.wire !== null;
  }

  // What befalls it.

  /** Leaves in an orderly way, and comes back after its time. */
  leave(): void {
    const { wire } = this;
    if (wire === null) return;
    this.world.note(this.plan.name, "leaves");
    this.goodbye(wire);
    this.#lose(this.chance.between(0.1, 1.9) * this.plan.awayMs);
  }

  /** Is gone without a word. */
  vanish(forMs: number): void {
    this.world.note(this.plan.name, "vanishes");
    this.wire?.vanish();
    this.#lose(forMs);
  }

  cutOff(): void {
    this.wire?.cut();
  }

  silence(untilMs: number): void {
    this.wire?.silence(untilMs);
    this.troubled(untilMs);
  }

  stopReading(forMs: number): void {
    const { wire } = this;
    if (wire === null) return;
    this.world.note(this.plan.name, "stops reading", forMs);
    wire.reads(false);
    this.troubled(this.world.nowMs + forMs);
    this.world.time.in(forMs, () => wire.reads(true));
  }

  /** The run is over: leaves for good. */
  retire(): void {
    this.#isRetired = true;
    this.#comesBack = null;
    if (this.wire !== null) this.goodbye(this.wire);
    this.#lose(null);
  }

  /** Checks what it should have got by now. */
  check(): void {
    const { nowMs } = this.world;
    if (this.wire === null || !this.isStreaming) return;
    if (nowMs - Math.max(this.#troubledAtMs, this.wire.troubledAtMs) < CALM_MS) return;
    for (const reading of this.readings()) {
      const overdue = reading.overdue(nowMs - LATE_MS);
      if (overdue !== null)
        this.world.breaks("late", `${this.plan.name} waits for ${overdue}, and is at ${reading.after}`);
    }
    const { intervalMs } = this.door.scenario.heartbeat;
    const quietMs = nowMs - this.#lastByteAtMs;
    if (quietMs > 1.5 * intervalMs + 5000)
      this.world.breaks("silence", `${this.plan.name} has heard nothing for ${quietMs} ms`);
  }

  /** One of the topics that it is subscribed to; null: none, or all. */
  abstract get anyTopic(): string | null;
  protected abstract get isStreaming(): boolean;
  protected abstract readings(): Iterable<Reading>;
  protected abstract request(): ClientRequest;
  protected abstract received(bytes: Buffer): void;
  /** The connection is over, or was refused. Answers when it is to come back, in milliseconds. */
  protected abstract over(): number;
  protected abstract goodbye(wire: Wire): void;

  protected troubled(untilMs = this.world.nowMs): void {
    this.#troubledAtMs = Math.max(this.#troubledAtMs, untilMs);
  }

  /** Leaves a connection that does not answer, and comes back as after any that is over. */
  protected giveUp(say: (wire: Wire) => void): void {
    const { wire } = this;
    if (wire === null) return;
    this.world.note(this.plan.name, "gives up");
    say(wire);
    this.#lose(this.over());
  }

  protected get token(): string {
    return tokenFor(this.plan.user, this.world);
  }

  /** Topics of which the newest is enough for whoever did not read: they have states, and the gateway conflates. */
  protected mayThin(topic: string): boolean {
    if (this.door.scenario.slowConsumer !== "conflate" || this.wire?.wasFull !== true) return false;
    const name = topic.split("/", 2)[1];
    return this.door.scenario.feeds.some((feed) => feed.name === name && feed.settings.state !== "none");
  }

  #comeIn(inMs: number): void {
    const mark = {};
    this.#comesBack = mark;
    this.world.time.in(inMs, () => {
      if (this.#comesBack === mark && this.wire === null && !this.#isRetired) this.#connect();
    });
  }

  #connect(): void {
    const number = ++this.#connection;
    this.connections++;
    const isCurrent = () => number === this.#connection && this.wire === wire;
    const listener: WireClient = {
      received: (bytes) => {
        if (!isCurrent()) return;
        this.#lastByteAtMs = this.world.nowMs;
        this.received(bytes);
      },
      ended: () => {
        wire.end();
        if (isCurrent()) this.#lose(this.over());
      },
      reset: () => isCurrent() && this.#lose(this.over()),
    };
    const chance = this.world.chance("wire", this.plan.name, number);
    const wire = new Wire(this.world, chance, this.plan.address, listener);
    this.wire = wire;
    this.troubled();
    this.#lastByteAtMs = this.world.nowMs;
    const request = this.request();
    this.world.note(this.plan.name, "connects", request.url);
    this.world.time.in(chance.between(2, 200), () => {
      if (!isCurrent()) return;
      const { life } = this.door;
      if (life.accept(request, wire.socket)) life.wires.add(wire);
      else wire.cut();
      wire.socket.once("close", () => life.wires.delete(wire));
    });
    this.world.time.in(chance.between(0.1, 1.9) * this.plan.staysMs, () => isCurrent() && this.leave());
    this.#watch(isCurrent);
  }

  /** Gives up a connection of which it hears nothing, as a client does that knows of heartbeats. */
  #watch(isCurrent: () => boolean): void {
    const patienceMs = 2.5 * this.door.scenario.heartbeat.intervalMs;
    this.world.time.in(patienceMs / 2, () => {
      if (!isCurrent()) return;
      if (this.world.nowMs - this.#lastByteAtMs < patienceMs) {
        this.#watch(isCurrent);
        return;
      }
      this.giveUp((each) => each.vanish());
    });
  }

  #lose(backInMs: number | null): void {
    const { wire } = this;
    this.wire = null;
    this.#connection++;
    this.troubled();
    wire?.reads(true);
    if (backInMs !== null && !this.#isRetired) this.#comeIn(backInMs);
  }
}
