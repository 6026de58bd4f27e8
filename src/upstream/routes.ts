import { hash } from "node:crypto";
import type { StreamEvent } from "./event-stream.ts";
import type { FeedCounters } from "./feed-counters.ts";
import { Handover } from "./handover.ts";
import { FAULT_LOSSES, type Mapping, type MappingFault } from "./mapping.ts";
import type { FeedEvent, FeedSettings, FeedSink } from "./ports.ts";
import type { QuietLog } from "./quiet-log.ts";
import { CATCH_UP_MS, Rejoin } from "./rejoin.ts";
import type { Arrival, Route, Seat } from "./seat.ts";

/** Keys whose last event is remembered after they were let go. */
const DEPARTED_MAX = 16_384;

/** Types of events that are remembered. */
const TYPES_MAX = 64;

export interface RoutesContext {
  readonly settings: FeedSettings;
  readonly mapping: Mapping;
  readonly counters: FeedCounters;
  readonly sink: FeedSink;
  readonly quietLog: QuietLog;
  /** A key has gone to the link that was to take it over. */
  moved(route: Route, heir: Seat): void;
  /** A link has brought what may have been an event of any of its keys. */
  unmapped(seat: Seat): void;
  /** Some of a key may be missing: more was held back than can be kept, or it was not resumed where it stopped. */
  lost(route: Route, seat: Seat): void;
}

/**
 * By which link each held key comes: hands the sink the events of each key from the one link that owns it, and
 * while a key is handed over, what `handover` decides.
 */
export class Routes {
  readonly #context: RoutesContext;
  /** The one route of a feed without keys in its URL; null in others. */
  readonly #whole: Route | null;
  readonly #routes = new Map<string, Route>();
  /** Keys that were let go, and the id of the last event that was published of each. */
  readonly #departed = new Map<string, string>();
  /** Whether any of them had to be forgotten: then a key that is not among them may have been. */
  #hasForgotten = false;
  /** Routes with a `rejoin`. */
  readonly #rejoining = new Set<Route>();
  /** As they were when they were last asked for. */
  #lastEventIds: ReadonlyMap<string, string> = new Map();
  /** Types of events that keys have had: events of other types are the feed's own business. */
  readonly #types = new Set<string>();
  #lastType: string | null = null;
  // Of the event that is being mapped.
  #seat: Seat | null = null;
  #id: string | null = null;
  #type = "";
  /** How many items of each topic it has had; kept only while a key is handed over. */
  readonly #ordinals = new Map<string, number>();
  readonly #mapped = {
    item: (event: FeedEvent) => this.#item(event),
    fault: (fault: MappingFault) => this.#fault(fault),
  };

  constructor(hasKeys: boolean, context: RoutesContext) {
    this.#context = context;
    this.#whole = hasKeys ? null : newRoute("");
  }

  get whole(): Route | null {
    return this.#whole;
  }

  get keys(): number {
    return this.#routes.size;
  }

  get(key: string): Route | undefined {
    return this.#routes.get(key);
  }

  /** The routes of keys that are held. */
  those(keys: readonly string[]): Route[] {
    return keys.map((key) => this.#routes.get(key)).filter((route) => route !== undefined);
  }

  add(key: string): Route {
    const route = newRoute(key);
    route.lastId = this.#departed.get(key) ?? (this.#hasForgotten ? "" : null);
    this.#departed.delete(key);
    this.#routes.set(key, route);
    return route;
  }

  remove(route: Route): void {
    const { key, lastId } = route;
    this.#routes.delete(key);
    this.#rejoining.delete(route);
    if (lastId === null) return;
    this.#departed.set(key, lastId);
    if (this.#departed.size <= DEPARTED_MAX) return;
    const [oldest] = this.#departed.keys();
    this.#departed.delete(oldest as string);
    this.#hasForgotten = true;
  }

  clear(): void {
    this.#routes.clear();
    this.#rejoining.clear();
  }

  /** Keys without a link that are to get one, in the order in which they came. */
  homeless(): Route[] {
    return Array.from(this.#routes.values()).filter((route) => route.seat === null && !route.quarantined);
  }

  heldBy(seats: readonly Seat[]): Route[] {
    const routes = this.#whole === null ? [...this.#routes.values()] : [this.#whole];
    return routes.filter((route) => route.seat !== null && seats.includes(route.seat));
  }

  countHeld(): Map<Seat, number> {
    const held = new Map<Seat, number>();
    for (const { seat } of this.#routes.values()) {
      if (seat !== null) held.set(seat, (held.get(seat) ?? 0) + 1);
    }
    return held;
  }

  /** The last event id of each key's link, of those that have one; of a key that has none yet, where it is to resume. The same map again while nothing has changed. */
  lastEventIds(): ReadonlyMap<string, string> {
    const last = this.#lastEventIds;
    let same = 0;
    let count = 0;
    for (const route of this.#all()) {
      const id = lastEventIdOf(route);
      if (id === "") continue;
      count++;
      if (last.get(route.key) === id) same++;
    }
    if (same === count && count === last.size) return last;
    const ids = new Map<string, string>();
    for (const route of this.#all()) {
      const id = lastEventIdOf(route);
      if (id !== "") ids.set(route.key, id);
    }
    this.#lastEventIds = ids;
    return ids;
  }

  #all(): Iterable<Route> {
    return this.#whole === null ? this.#routes.values() : [this.#whole];
  }

  /** Keys that a link owns, and those that it takes over: what it has to ask for. */
  keysOf(seat: Seat): string[] {
    return Array.from(this.#routes.values())
      .filter((route) => route.seat === seat || (seat.takingOver?.pending.has(route) ?? false))
      .map((route) => route.key);
  }

  topicsOf(seat: Seat): string[] {
    return this.#whole === null
      ? this.topicsOfKeys(this.heldBy([seat]).map((route) => route.key))
      : [...this.#context.mapping.topicsSeen()];
  }

  topicsOfKeys(keys: readonly string[]): string[] {
    const { topics } = this.#context.mapping;
    return keys.map((key) => topics.expand(key)).filter((topic) => topic !== null);
  }

  /** The key is this link's alone, which is its own or goes on where its own stood; what that may still repeat stays remembered. */
  assign(route: Route, seat: Seat): void {
    const { rejoin } = route;
    if (rejoin !== null && (route.seat === null || rejoin.seat === route.seat))
      route.rejoin = { ...rejoin, seat };
    else this.#forgetRejoin(route);
    route.seat = seat;
    remember(route, seat, route.handover?.events.remembered ?? new Set());
    if (route.resumeAfter === "") return;
    // On a link that does not resume where the key stopped.
    route.resumeAfter = "";
    if (route.continues) this.#context.lost(route, seat);
  }

  /** The key has no link any more. What its next one may repeat, which goes on where this one stood, stays remembered. */
  unassign(route: Route): void {
    const { seat, rejoin, handover } = route;
    if (rejoin?.seat !== seat) this.#forgetRejoin(route);
    if (seat === null || seat.link.lastEventId === "") route.handover = null;
    else remember(route, seat, handover?.events.remembered ?? new Set());
    route.seat = null;
  }

  /** The link resumes nowhere: it repeats nothing, and what others left undecided is part of the gap. */
  startAnew(seat: Seat): void {
    for (const route of this.#rejoining) if (route.rejoin?.seat === seat) this.#forgetRejoin(route);
  }

  /** The link may resume where it stood itself, and not where these keys did that it has, or takes over. */
  rejoin(routes: readonly Route[], seat: Seat): void {
    if (seat.link.lastEventId === "") return;
    for (const route of routes) {
      if (route.lastId === null) continue;
      route.rejoin = { seat, events: new Rejoin(route.lastId, routes.length) };
      this.#rejoining.add(route);
    }
  }

  /** Whether the link may repeat events of some key, and how far is not known yet. */
  isInDoubt(seat: Seat): boolean {
    return this.#rejoining.values().some((route) => route.rejoin?.seat === seat);
  }

  /** Whether the link is open and nothing that it brings is in doubt. */
  isUpToDate(seat: Seat): boolean {
    return seat.link.state.name === "open" && !this.isInDoubt(seat);
  }

  /**
   * Publishes what was held back where links have caught up.
   *
   * @returns how long until the next one has, in milliseconds; null: none is open that has not
   */
  settleRejoined(nowMs: number): number | null {
    let nextMs: number | null = null;
    for (const route of [...this.#rejoining]) {
      const { rejoin } = route;
      if (rejoin === null || rejoin.seat.link.state.name !== "open") continue;
      const waitMs = rejoin.seat.link.state.sinceMs + CATCH_UP_MS - nowMs;
      if (waitMs > 0) nextMs = Math.min(nextMs ?? waitMs, waitMs);
      else this.#endRejoin(route, rejoin.events.finish());
    }
    return nextMs;
  }

  /** From now on the events of a key may come from either link. */
  handOver(route: Route, heir: Seat): void {
    route.handover = { heir, events: new Handover(route.handover?.events.remembered) };
  }

  /** The heir takes the key over now. */
  finish(route: Route): void {
    const { handover } = route;
    if (handover === null) return;
    const { heir, events } = handover;
    if (route.rejoin?.seat === heir) this.#endRejoin(route, route.rejoin.events.finish());
    // That may have settled it.
    if (events.isDone) return;
    for (const ready of events.finish()) this.#publish(route, ready.event, ready.id);
    this.#settle(route, heir);
  }

  /** Maps an event that a link has brought and hands on what comes of it. */
  arrive(seat: Seat, event: StreamEvent): void {
    this.#seat = seat;
    this.#id = event.id;
    this.#type = event.type;
    if (this.#ordinals.size > 0) this.#ordinals.clear();
    const onlyKey = seat.keys.length === 1 ? (seat.keys[0] as string) : null;
    this.#context.mapping.map(event, onlyKey, this.#mapped);
  }

  #item(event: FeedEvent): void {
    const { counters } = this.#context;
    if (event.type !== this.#lastType) this.#knowType(event.type);
    const route = this.#whole ?? this.#routes.get(event.key);
    if (route === undefined) {
      counters.unwanted++;
      return;
    }
    const { handover, rejoin } = route;
    const seat = this.#seat as Seat;
    if (route.seat !== seat && handover?.heir !== seat) {
      // Of a link that still asks for a key that it has lost.
      counters.doubles++;
      return;
    }
    if (handover === null && rejoin === null) {
      this.#publish(route, event, this.#id);
      return;
    }
    const arrival = { event, id: this.#id, identity: this.#identify(event) };
    if (rejoin?.seat === seat) this.#rejoined(route, rejoin.events, arrival);
    else this.#pass(route, seat, arrival);
  }

  #rejoined(route: Route, events: Rejoin<Arrival>, arrival: Arrival): void {
    const doublesBefore = events.doubles;
    const ready = events.arrive(arrival.id, arrival, arrival.event.data.length);
    this.#context.counters.doubles += events.doubles - doublesBefore;
    if (events.isOver) this.#endRejoin(route, ready);
  }

  #endRejoin(route: Route, ready: readonly Arrival[]): void {
    const { rejoin } = route;
    if (rejoin === null) return;
    this.#forgetRejoin(route);
    if (rejoin.events.isLossy) this.#context.lost(route, rejoin.seat);
    for (const arrival of ready) this.#pass(route, rejoin.seat, arrival);
  }

  #forgetRejoin(route: Route): void {
    route.rejoin = null;
    this.#rejoining.delete(route);
  }

  /** What `rejoin` has let pass, to `handover`. */
  #pass(route: Route, seat: Seat, arrival: Arrival): void {
    const { handover } = route;
    if (handover === null) {
      this.#publish(route, arrival.event, arrival.id);
      return;
    }
    const { events, heir } = handover;
    const wasDone = events.isDone;
    const doublesBefore = events.doubles;
    const { identity } = arrival;
    const { length } = arrival.event.data;
    const ready =
      seat === heir ? events.fromHeir(identity, arrival, length) : events.fromOwner(identity, arrival);
    this.#context.counters.doubles += events.doubles - doublesBefore;
    for (const each of ready) this.#publish(route, each.event, each.id);
    if (events.isDone && !wasDone) this.#settle(route, heir);
    else if (events.isForgotten) route.handover = null;
  }

  #settle(route: Route, heir: Seat): void {
    route.seat = heir;
    if (route.rejoin !== null && route.rejoin.seat !== heir) this.#forgetRejoin(route);
    if (route.handover?.events.isForgotten) route.handover = null;
    this.#context.moved(route, heir);
  }

  /** What the event is known by on both links. Items of one event share its id: those of one topic are told apart by their order. */
  #identify({ topic, type, data }: FeedEvent): string {
    const id = this.#id;
    if (id === null) return hash("sha256", `${type}\n${data}`, "base64");
    if (this.#context.settings.items === null) return id;
    const ordinal = this.#ordinals.get(topic) ?? 0;
    this.#ordinals.set(topic, ordinal + 1);
    return `${ordinal} ${topic} ${id}`;
  }

  #publish(route: Route, event: FeedEvent, id: string | null): void {
    const { counters, sink } = this.#context;
    counters.events++;
    route.lastId = id ?? "";
    sink.publish(event);
  }

  #fault(fault: MappingFault): void {
    const { counters, quietLog, settings } = this.#context;
    counters.faults.add(fault);
    quietLog.warn(fault, { feed: settings.name, link: this.#seat?.link.id, fault }, "event not understood");
    const loss = FAULT_LOSSES[fault];
    const isLoss = loss === "any" || (loss === "known_type" && this.#types.has(this.#type));
    if (isLoss && this.#seat !== null) this.#context.unmapped(this.#seat);
  }

  #knowType(type: string): void {
    this.#lastType = type;
    if (this.#types.size < TYPES_MAX) this.#types.add(type);
  }
}

function lastEventIdOf({ seat, resumeAfter }: Route): string {
  return seat === null ? resumeAfter : seat.link.lastEventId;
}

function newRoute(key: string): Route {
  return {
    key,
    seat: null,
    handover: null,
    rejoin: null,
    lastId: null,
    resumeAfter: "",
    continues: false,
    proven: false,
    quarantined: false,
  };
}

function remember(route: Route, heir: Seat, before: ReadonlySet<string>): void {
  route.handover = null;
  if (before.size === 0) return;
  const events = new Handover<Arrival>(before);
  events.finish();
  route.handover = { heir, events };
}
