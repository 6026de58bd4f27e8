import { hash } from "node:crypto";
import type { StreamEvent } from "./event-stream.ts";
import type { FeedCounters } from "./feed-counters.ts";
import { Handover } from "./handover.ts";
import type { Mapping, MappingFault } from "./mapping.ts";
import type { FeedEvent, FeedSettings, FeedSink } from "./ports.ts";
import type { QuietLog } from "./quiet-log.ts";
import { RecentIds } from "./recent-ids.ts";
import type { Route, Seat } from "./seat.ts";

/** Events of a feed whose ids are remembered. */
const RECENT_IDS_MAX = 4096;

export interface RoutesContext {
  readonly settings: FeedSettings;
  readonly mapping: Mapping;
  readonly counters: FeedCounters;
  readonly sink: FeedSink;
  readonly quietLog: QuietLog;
  /** A key has gone to the link that was to take it over. */
  moved(route: Route, heir: Seat): void;
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
  readonly #recent = new RecentIds(RECENT_IDS_MAX);
  // Of the event that is being mapped.
  #seat: Seat | null = null;
  #id: string | null = null;
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
    this.#routes.set(key, route);
    return route;
  }

  remove(route: Route): void {
    this.#routes.delete(route.key);
  }

  clear(): void {
    this.#routes.clear();
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

  /** The last event id of each key's link, of those that have one. */
  lastEventIds(): Map<string, string> {
    const ids = new Map<string, string>();
    for (const { key, seat } of this.#whole === null ? this.#routes.values() : [this.#whole]) {
      if (seat !== null && seat.link.lastEventId !== "") ids.set(key, seat.link.lastEventId);
    }
    return ids;
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

  /** The key is this link's alone; what that may still repeat stays remembered. */
  assign(route: Route, seat: Seat): void {
    route.seat = seat;
    remember(route, seat, route.handover?.events.remembered ?? new Set());
  }

  /** The same for a key that had no link, on one that resumes: let go and wanted again, it may be repeated. */
  assignResumed(routes: readonly Route[], seat: Seat): void {
    const recent = this.#recent.of(new Set(routes.map((route) => route.key)));
    for (const route of routes) {
      route.seat = seat;
      remember(route, seat, this.#identities(route.key, recent.get(route.key) ?? []));
    }
  }

  /** From now on the events of a key may come from either link. */
  handOver(route: Route, heir: Seat): void {
    route.handover = { heir, events: new Handover(route.handover?.events.remembered) };
  }

  /** The heir takes the key over now. */
  finish(route: Route): void {
    const { handover } = route;
    if (handover === null) return;
    for (const event of handover.events.finish()) this.#publish(event, null);
    this.#settle(route, handover.heir);
  }

  /** Maps an event that a link has brought and hands on what comes of it. */
  arrive(seat: Seat, event: StreamEvent): void {
    this.#seat = seat;
    this.#id = event.id;
    if (this.#ordinals.size > 0) this.#ordinals.clear();
    const onlyKey = seat.keys.length === 1 ? (seat.keys[0] as string) : null;
    this.#context.mapping.map(event, onlyKey, this.#mapped);
  }

  #item(event: FeedEvent): void {
    const { counters } = this.#context;
    const route = this.#whole ?? this.#routes.get(event.key);
    if (route === undefined) {
      counters.unwanted++;
      return;
    }
    const { handover, seat } = route;
    const isHeirs = handover?.heir === this.#seat;
    if (seat !== this.#seat && !isHeirs) {
      // Of a link that still asks for a key that it has lost.
      counters.doubles++;
      return;
    }
    if (handover === null) {
      this.#publish(event, this.#id);
      return;
    }
    const { events, heir } = handover;
    const wasDone = events.isDone;
    const doublesBefore = events.doubles;
    const id = this.#identify(event);
    const ready = isHeirs ? events.fromHeir(id, event) : events.fromOwner(id, event);
    counters.doubles += events.doubles - doublesBefore;
    for (const each of ready) this.#publish(each, this.#id);
    if (events.isDone && !wasDone) this.#settle(route, heir);
    else if (events.isForgotten) route.handover = null;
  }

  #settle(route: Route, heir: Seat): void {
    route.seat = heir;
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
    return itemIdentity(ordinal, topic, id);
  }

  /** The same, for ids of events that were published: one id for each item. */
  #identities(key: string, ids: readonly string[]): Set<string> {
    const { settings, mapping } = this.#context;
    if (settings.items === null) return new Set(ids);
    const topic = mapping.topics.expand(key) ?? "";
    const ordinals = new Map<string, number>();
    return new Set(
      ids.map((id) => {
        const ordinal = ordinals.get(id) ?? 0;
        ordinals.set(id, ordinal + 1);
        return itemIdentity(ordinal, topic, id);
      }),
    );
  }

  #publish(event: FeedEvent, id: string | null): void {
    const { counters, sink } = this.#context;
    counters.events++;
    if (id !== null && this.#whole === null) this.#recent.note(event.key, id);
    sink.publish(event);
  }

  #fault(fault: MappingFault): void {
    const { counters, quietLog, settings } = this.#context;
    counters.faults.add(fault);
    quietLog.warn(fault, { feed: settings.name, link: this.#seat?.link.id, fault }, "event not understood");
  }
}

function newRoute(key: string): Route {
  return { key, seat: null, handover: null, resumeAfter: "", proven: false, quarantined: false };
}

function remember(route: Route, heir: Seat, before: ReadonlySet<string>): void {
  route.handover = null;
  if (before.size === 0) return;
  const events = new Handover<FeedEvent>(before);
  events.finish();
  route.handover = { heir, events };
}

function itemIdentity(ordinal: number, topic: string, id: string): string {
  return `${ordinal} ${topic} ${id}`;
}
