import type { Timer } from "#base/clock.ts";
import { Dialer, type DialRequest } from "./dialer.ts";
import type { StreamEvent } from "./event-stream.ts";
import { FeedBreaker } from "./feed-breaker.ts";
import type { FeedCounters } from "./feed-counters.ts";
import { Link, type LinkOwner } from "./link.ts";
import { LINK_REASONS, type LinkReason } from "./link-reason.ts";
import type { Mapping } from "./mapping.ts";
import { type PlacedLink, type PlacementChange, planPlacement } from "./placement.ts";
import { type PoolParts, tellGap } from "./pool-parts.ts";
import type { CursorWatch, FeedContext, FeedSettings, LinkStats } from "./ports.ts";
import { QuietLog } from "./quiet-log.ts";
import { Renewal } from "./renewal.ts";
import { Routes } from "./routes.ts";
import { isSettled, type Route, type Seat } from "./seat.ts";
import { Seats } from "./seats.ts";
import { Takeovers } from "./takeovers.ts";
import { noteUnmapped, tellOwedGaps } from "./unmapped.ts";
import { expandUrl, type KeysPerRequest } from "./url-template.ts";
import { Ward } from "./ward.ts";

/** Links are merged when no key has come or gone for so long. */
export const QUIET_MS = 1000;

/**
 * A feed's links: places keys on them as `placement` decides, and has links replaced, rotated and closed. How one
 * link takes over from another is `takeovers`' business, which of the two a key's events are taken from meanwhile
 * `routes`', what becomes of keys that the feed rejects `ward`'s, and of a feed that is down `feed-breaker`'s.
 */
export class Pool implements LinkOwner {
  readonly dialer: Dialer;
  readonly #parts: PoolParts;
  readonly #takeovers: Takeovers;
  readonly #ward: Ward;
  readonly #renewal: Renewal;
  readonly #breaker: FeedBreaker;
  readonly #cursorWatch: CursorWatch | null;
  #planTimer: { readonly timer: Timer; readonly dueMs: number } | null = null;
  #keysChangedAtMs: number;
  #replaceNotBeforeMs = 0;

  constructor(
    settings: FeedSettings,
    mode: KeysPerRequest,
    mapping: Mapping,
    counters: FeedCounters,
    context: FeedContext,
    crowdedOut: PoolParts["crowdedOut"],
  ) {
    const { clock, random, log, sink } = context;
    const { name: feed, health, retry, pool } = settings;
    const quietLog = new QuietLog(log, clock);
    const dialer = new Dialer(clock, {
      tls: settings.tls ?? null,
      idleTimeoutMs: health.idleTimeoutMs,
      connections: context.connections?.(feed),
      atOnceMax: pool.linksMax,
    });
    const moved = (route: Route, heir: Seat) => this.#takeovers.moved(route, heir);
    const lost = (route: Route, seat: Seat) =>
      tellGap(this.#parts, seat, { reason: "replaced", atMs: this.#nowMs }, routes.topicsOfKeys([route.key]));
    const routes: Routes = new Routes(mode !== "none", {
      settings,
      mapping,
      counters,
      sink,
      quietLog,
      moved,
      unmapped: (seat) => noteUnmapped(this.#parts, seat),
      lost,
    });
    const observer = context.observer ?? null;
    const linkContext = { clock, random, log, quietLog, dialer, counters, feed, observer };
    const seats = new Seats(routes, (id) => new Link(id, this, linkContext, { health, retry }));
    const limits = { linksMax: pool.linksMax, keysPerLink: mode === "one" ? 1 : pool.keysPerLink };
    const planIn = (delayMs: number) => this.#planIn(delayMs);
    this.#parts = { settings, context, counters, quietLog, limits, routes, seats, crowdedOut, planIn };
    this.#takeovers = new Takeovers(this.#parts);
    this.#ward = new Ward(this.#parts, this.#takeovers);
    this.#renewal = new Renewal(this.#parts, this.#takeovers);
    this.#breaker = new FeedBreaker(this.#parts);
    this.#cursorWatch = context.cursors?.watch(feed, () => routes.lastEventIds()) ?? null;
    this.#keysChangedAtMs = clock.monotonicMs();
    this.dialer = dialer;
  }

  get keys(): number {
    return this.#parts.routes.keys;
  }

  /** Those of the keys that the feed rejects: they take no place on a link. */
  get keysQuarantined(): number {
    return this.#ward.size;
  }

  isQuarantined(key: string): boolean {
    const route = this.#parts.routes.get(key);
    return route !== undefined && this.#ward.holds(route);
  }

  /** Opens the link of a feed without keys in its URL; others open theirs when keys are held. */
  open(): void {
    const { whole } = this.#parts.routes;
    if (whole === null) return;
    this.#takeCursor(whole);
    this.#openFor([whole]);
  }

  has(key: string): boolean {
    return this.#parts.routes.get(key) !== undefined;
  }

  /** Gives a key a place, after the others that are gathered with it. */
  hold(key: string): void {
    const route = this.#parts.routes.add(key);
    this.#takeCursor(route);
    this.#ward.admit(route);
    this.#keysChanged();
  }

  /** A key is wanted anew that is still held: a feed that wanted no reconnection is asked again. */
  renew(key: string): void {
    this.#parts.routes.get(key)?.seat?.link.open();
  }

  release(key: string): void {
    const { context, routes } = this.#parts;
    const route = routes.get(key);
    if (route === undefined) return;
    routes.remove(route);
    context.sink.released?.(routes.topicsOfKeys([key]));
    this.#takeovers.released(route);
    this.#ward.released(route);
    this.#keysChanged();
  }

  stats(): LinkStats[] {
    const { routes, seats } = this.#parts;
    const held = routes.countHeld();
    return Array.from(seats, (seat) => seat.link.stats(held.get(seat) ?? 0, seat.takingOver !== null));
  }

  /** Has an open link replaced at the next chance. False: there is none of this id. */
  rotate(link: number): boolean {
    const seat = this.#parts.seats.get(link);
    if (seat?.link.state.name !== "open") return false;
    this.aged(seat.link);
    return true;
  }

  /** Closes a link and opens another in its place. False: none of this id, or it is being replaced already. */
  cut(link: number): boolean {
    const seat = this.#parts.seats.get(link);
    if (seat === undefined || seat.isProbe || !isSettled(seat)) return false;
    this.#takeovers.replaceInPlace(seat, []);
    return true;
  }

  /** Ends every link and timer; resolves when the last socket is gone. */
  async close(): Promise<void> {
    this.#cursorWatch?.end();
    this.#planTimer?.timer.cancel();
    this.#planTimer = null;
    this.#parts.seats.vacateAll();
    this.#parts.routes.clear();
    await this.dialer.drained();
    this.#parts.quietLog.end();
  }

  // What links ask and tell.

  request(link: Link): DialRequest {
    const { seats, routes, settings } = this.#parts;
    const { urls, headers } = settings;
    const seat = seats.get(link.id);
    if (seat !== undefined) seat.keys = routes.keysOf(seat);
    const url = expandUrl(urls[seat?.urlAt ?? 0] ?? urls[0], seat?.keys ?? []);
    if (seat !== undefined) seat.urlLength = url.length;
    const takeover = seat?.takingOver ?? null;
    for (const route of takeover?.pending ?? []) route.handover?.events.heirDialled();
    if (takeover?.resumes) return { url, headers, lastEventId: takeover.from[0]?.link.lastEventId ?? "" };
    if (seat !== undefined && link.lastEventId === "") this.#takeovers.fallBack(seat);
    return { url, headers, lastEventId: link.lastEventId };
  }

  event(link: Link, event: StreamEvent): void {
    const { seats, routes } = this.#parts;
    const seat = seats.get(link.id);
    if (seat !== undefined) routes.arrive(seat, event);
  }

  opened(link: Link, resumed: boolean): void {
    const seat = this.#parts.seats.get(link.id);
    if (seat === undefined) return;
    const { lost } = seat;
    if (lost !== null && !resumed) tellGap(this.#parts, seat, lost);
    seat.lost = null;
    this.#renewal.opened(seat);
    this.#breaker.attemptSucceeded();
    this.#ward.accepted(seat);
    if (seat.takingOver !== null) this.#takeovers.opened(seat.takingOver);
    // Only open links are merged.
    else this.#planIn(0);
  }

  skipped(link: Link, reason: LinkReason): void {
    const seat = this.#parts.seats.get(link.id);
    if (seat !== undefined) tellGap(this.#parts, seat, { reason, atMs: this.#nowMs });
  }

  over(link: Link, reason: LinkReason, wasOpen: boolean): void {
    const { seats } = this.#parts;
    const seat = seats.get(link.id);
    if (seat === undefined || LINK_REASONS[reason].verdict === "own") return;
    if (wasOpen) seat.lost = { reason, atMs: this.#nowMs };
    this.#renewal.over(seat, wasOpen);
    this.#planIn(0);
    const isRejected =
      LINK_REASONS[reason].verdict === "reject" || this.#ward.isForSomeKey(seat, reason, wasOpen);
    if (isRejected) this.#breaker.attemptRejected(link);
    else if (!wasOpen) this.#breaker.attemptFailed(link);
    this.#takeoverOver(seat, isRejected);
    if (seats.get(link.id) === undefined) return;
    if (isRejected) this.#ward.rejected(seat, LINK_REASONS[reason].verdict !== "retry");
    else if (seat.isProbe) this.#ward.postpone(seat);
  }

  aged(link: Link): void {
    const seat = this.#parts.seats.get(link.id);
    if (seat !== undefined) this.#renewal.aged(seat);
  }

  holdBackMs(link: Link): number {
    return this.#breaker.holdBackMs(link);
  }

  #takeoverOver(seat: Seat, isRejected: boolean): void {
    const takeover = seat.takingOver ?? seat.givingUp;
    if (takeover === null) return;
    const isHeir = seat.takingOver !== null;
    const mayBlameKeys = isRejected && this.#parts.routes.heldBy([seat]).some((route) => !route.proven);
    const isFailBack = takeover.from.some(({ failsBackAtMs }) => failsBackAtMs !== null);
    if (this.#takeovers.broken(takeover) || !isHeir) return;
    // The old links stay: another try is made when the slowest retry would be, unless new keys were to blame.
    if (isFailBack) this.#renewal.failedBack();
    else if (!mayBlameKeys) this.#replaceNotBeforeMs = this.#nowMs + this.#parts.settings.retry.maxMs;
  }

  // Links being opened, replaced and closed.

  get #nowMs(): number {
    return this.#parts.context.clock.monotonicMs();
  }

  #keysChanged(): void {
    this.#keysChangedAtMs = this.#nowMs;
    this.#planIn(this.#parts.settings.pool.gatherMs);
  }

  #planIn(delayMs: number): void {
    const dueMs = this.#nowMs + delayMs;
    if (this.#planTimer !== null && this.#planTimer.dueMs <= dueMs) return;
    this.#planTimer?.timer.cancel();
    const timer = this.#parts.context.clock.after(delayMs, () => {
      this.#planTimer = null;
      this.#plan();
    });
    this.#planTimer = { timer, dueMs };
  }

  #plan(): void {
    const { routes, seats, limits } = this.#parts;
    const nowMs = this.#nowMs;
    const catchUpMs = routes.settleRejoined(nowMs);
    if (catchUpMs !== null) this.#planIn(catchUpMs);
    tellOwedGaps(this.#parts);
    const quietAtMs = this.#keysChangedAtMs + QUIET_MS;
    const mayReplace = nowMs >= this.#replaceNotBeforeMs;
    if (routes.whole === null) {
      this.#ward.review();
      this.#place(nowMs >= quietAtMs, mayReplace);
      if (this.#breaker.letsProbe) this.#ward.probe();
    }
    if (mayReplace && seats.size <= limits.linksMax) this.#renewal.renew();
    if (seats.size === 0) return;
    if (!mayReplace) this.#planIn(this.#replaceNotBeforeMs - nowMs);
    else if (routes.whole === null && nowMs < quietAtMs) this.#planIn(quietAtMs - nowMs);
  }

  #place(quiet: boolean, mayReplace: boolean): void {
    const { routes, seats, limits } = this.#parts;
    const { keysPerLink, linksMax } = limits;
    const held = routes.countHeld();
    const placed = [...seats]
      .filter((seat) => !seat.isProbe)
      .map((seat) => ({
        id: seat.link.id,
        keys: seat.keys.length,
        held: (held.get(seat) ?? 0) + (seat.takingOver?.pending.size ?? 0),
        settled: isSettled(seat),
        state: this.#placedState(seat),
        resumable: seat.link.lastEventId !== "",
      }));
    const free = { keysPerLink, linksMax: this.#ward.isProbing ? linksMax - 1 : linksMax };
    const homeless = routes.homeless().map((route) => route.key);
    for (const change of planPlacement(placed, homeless, free, quiet && mayReplace)) {
      if (change.do !== "replace" || mayReplace) this.#change(change);
    }
  }

  #change(change: PlacementChange): void {
    const { routes, seats } = this.#parts;
    const seatOf = (link: number) => seats.get(link) as Seat;
    switch (change.do) {
      case "close":
        seats.vacate(seatOf(change.link), "unwanted");
        break;
      case "open":
        this.#openFor(routes.those(change.keys));
        break;
      case "join": {
        const keys = this.#ward.vetted(change.keys);
        if (keys.length === 0) break;
        const seat = seatOf(change.link);
        const joining = routes.those(keys);
        for (const route of joining) routes.assign(route, seat);
        routes.rejoin(joining, seat);
        seat.link.open();
        break;
      }
      case "replace": {
        const keys = this.#ward.vetted(change.keys);
        if (keys.length === 0 && change.keys.length > 0) break;
        const from = change.links.map(seatOf) as [Seat, ...Seat[]];
        const added = routes.those(keys);
        if (!change.inPlace) this.#takeovers.replace(from, added);
        else if (from.length === 1) this.#takeovers.replaceInPlace(from[0], added);
        else this.#takeovers.mergeInPlace(from);
        break;
      }
    }
  }

  /** A new link for those of the keys that stopped at the same event in the life before; the others' turn is next. */
  #openFor(routes: readonly Route[]): void {
    const groups = Map.groupBy(routes, (route) => route.resumeAfter);
    const [resumeAfter, own] = [...groups].sort(([, a], [, b]) => b.length - a.length)[0] ?? ["", []];
    for (const route of own) route.resumeAfter = "";
    const seat = this.#parts.seats.take(own, []);
    seat.resumesLifeBefore = resumeAfter !== "";
    if (seat.resumesLifeBefore && own.some((route) => route.continues))
      seat.lost = { reason: "closed", atMs: this.#nowMs, sinceLifeBefore: true };
    seat.link.lastEventId = resumeAfter;
    seat.link.open();
    if (groups.size > 1) this.#planIn(0);
  }

  /** A merged state can't be made of what came since alone: the feed is asked for the whole instead. */
  #takeCursor(route: Route): void {
    const { context, settings } = this.#parts;
    const { cursors } = context;
    route.continues = cursors?.continues ?? false;
    if (settings.state !== "merge" || route.continues)
      route.resumeAfter = cursors?.take(settings.name, route.key) ?? "";
  }

  /** A link that has not caught up is waited for, like one that connects. */
  #placedState(seat: Seat): PlacedLink["state"] {
    const { name } = seat.link.state;
    if (name === "open") return this.#parts.routes.isUpToDate(seat) ? "open" : "connecting";
    return name === "connecting" ? name : "down";
  }
}
