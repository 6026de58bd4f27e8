import type { Timer } from "#base/clock.ts";
import {
  askLeave,
  attemptFailed,
  type Breaker,
  type BreakerSettings,
  CLOSED,
  followWithinMs,
} from "./breaker.ts";
import { Dialer, type DialRequest } from "./dialer.ts";
import type { StreamEvent } from "./event-stream.ts";
import type { FeedCounters } from "./feed-counters.ts";
import { Link, type LinkOwner } from "./link.ts";
import { LINK_REASONS, type LinkReason } from "./link-reason.ts";
import type { Mapping } from "./mapping.ts";
import { type PlacedLink, type PlacementChange, type PlacementLimits, planPlacement } from "./placement.ts";
import type { CursorWatch, FeedContext, FeedSettings, LinkStats } from "./ports.ts";
import { type Group, judgeRejection, Quarantine } from "./quarantine.ts";
import { QuietLog } from "./quiet-log.ts";
import { Routes } from "./routes.ts";
import { isSettled, type Route, type Seat, type Takeover, type Trace } from "./seat.ts";
import { expandUrl, type KeysPerRequest } from "./url-template.ts";

/** How long a new link waits for a quiet key's event that it and the old one both deliver, before it takes the key over. */
export const HANDOVER_MS = 2000;

/** Links are merged when no key has come or gone for so long. */
export const QUIET_MS = 1000;

/**
 * A feed's links: places keys on them as `placement` decides, and replaces a link by opening its successor before
 * it is closed. Which of the two a key's events are taken from meanwhile is `routes`' business.
 */
export class Pool implements LinkOwner {
  readonly dialer: Dialer;
  readonly #settings: FeedSettings;
  readonly #context: FeedContext;
  readonly #counters: FeedCounters;
  readonly #quietLog: QuietLog;
  readonly #limits: PlacementLimits;
  readonly #routes: Routes;
  readonly #seats = new Map<number, Seat>();
  readonly #quarantine: Quarantine<Trace>;
  /** The link that asks for keys in quarantine: one at a time. */
  #probe: Seat | null = null;
  readonly #cursorWatch: CursorWatch | null;
  #linkId = 0;
  #planTimer: { readonly timer: Timer; readonly dueMs: number } | null = null;
  #breaker: Breaker = CLOSED;
  readonly #breakerSettings: BreakerSettings;
  #keysChangedAtMs: number;
  #replaceNotBeforeMs = 0;

  constructor(
    settings: FeedSettings,
    mode: KeysPerRequest,
    mapping: Mapping,
    counters: FeedCounters,
    context: FeedContext,
  ) {
    this.#settings = settings;
    this.#context = context;
    this.#counters = counters;
    this.#quietLog = new QuietLog(context.log, context.clock);
    this.#limits = {
      linksMax: settings.pool.linksMax,
      keysPerLink: mode === "one" ? 1 : settings.pool.keysPerLink,
    };
    this.#routes = new Routes(mode !== "none", {
      settings,
      mapping,
      counters,
      sink: context.sink,
      quietLog: this.#quietLog,
      moved: (route, heir) => this.#moved(route, heir),
    });
    const { minMs, maxMs } = settings.retry;
    this.#breakerSettings = {
      minMs: Math.min(maxMs, 4 * minMs),
      // Half of the links' own, so that with what follows the feed is back within one of their windows.
      maxMs: maxMs / 2,
      probeMs: settings.health.connectTimeoutMs,
    };
    this.#quarantine = new Quarantine({
      paceMinMs: minMs,
      paceMaxMs: Math.max(minMs, maxMs / 8),
      againMs: maxMs,
      keysMax: this.#limits.keysPerLink,
    });
    this.#cursorWatch = context.cursors?.watch(settings.name, () => this.#routes.lastEventIds()) ?? null;
    this.#keysChangedAtMs = context.clock.monotonicMs();
    this.dialer = new Dialer(context.clock, {
      tls: settings.tls ?? null,
      idleTimeoutMs: settings.health.idleTimeoutMs,
    });
  }

  get keys(): number {
    return this.#routes.keys;
  }

  /** Those of the keys that the feed rejects: they take no place on a link. */
  get keysQuarantined(): number {
    const undisturbing = [...this.#seats.values()].filter((seat) => this.#isRejectedAlone(seat));
    return this.#quarantine.convicted + undisturbing.length;
  }

  isQuarantined(key: string): boolean {
    const seat = this.#routes.get(key)?.seat;
    return this.#quarantine.isConvicted(key) || (seat != null && this.#isRejectedAlone(seat));
  }

  /** Opens the link of a feed without keys in its URL; others open theirs when keys are held. */
  open(): void {
    const { whole } = this.#routes;
    if (whole === null) return;
    whole.resumeAfter = this.#takeCursor("");
    this.#openFor([whole]);
  }

  has(key: string): boolean {
    return this.#routes.get(key) !== undefined;
  }

  /** Gives a key a place, after the others that are gathered with it. */
  hold(key: string): void {
    const route = this.#routes.add(key);
    route.resumeAfter = this.#takeCursor(key);
    route.quarantined = this.#quarantine.detain(key, NO_TRACE, this.#context.clock.monotonicMs());
    this.#keysChanged();
  }

  /** A key is wanted anew that is still held: a feed that wanted no reconnection is asked again. */
  renew(key: string): void {
    this.#routes.get(key)?.seat?.link.open();
  }

  release(key: string): void {
    const route = this.#routes.get(key);
    if (route === undefined) return;
    this.#routes.remove(route);
    this.#context.sink.released?.(this.#routes.topicsOfKeys([key]));
    const takeover = route.handover?.heir.takingOver;
    if (takeover?.pending.delete(route)) this.#completeIfDone(takeover);
    if (route.quarantined) this.#quarantine.release(key);
    this.#keysChanged();
  }

  stats(): LinkStats[] {
    const held = this.#routes.countHeld();
    return Array.from(this.#seats.values(), (seat) =>
      seat.link.stats(held.get(seat) ?? 0, seat.takingOver !== null),
    );
  }

  /** Ends every link and timer; resolves when the last socket is gone. */
  async close(): Promise<void> {
    this.#cursorWatch?.end();
    this.#planTimer?.timer.cancel();
    this.#planTimer = null;
    for (const seat of this.#seats.values()) {
      seat.takingOver?.deadline?.cancel();
      seat.link.destroy("closed");
    }
    this.#seats.clear();
    this.#routes.clear();
    await this.dialer.drained();
  }

  // What links ask and tell.

  request(link: Link, attempt: number): DialRequest {
    const seat = this.#seats.get(link.id);
    const { urls, headers } = this.#settings;
    if (seat !== undefined) seat.keys = this.#routes.keysOf(seat);
    const url = expandUrl(urls[attempt % urls.length] ?? urls[0], seat?.keys ?? []);
    const takeover = seat?.takingOver ?? null;
    if (takeover === null) return { url, headers, lastEventId: link.lastEventId };
    for (const route of takeover.pending) route.handover?.events.heirDialled();
    const lastEventId = takeover.resumes ? (takeover.from[0]?.link.lastEventId ?? "") : "";
    return { url, headers, lastEventId };
  }

  event(link: Link, event: StreamEvent): void {
    const seat = this.#seats.get(link.id);
    if (seat !== undefined) this.#routes.arrive(seat, event);
  }

  opened(link: Link, resumed: boolean): void {
    const seat = this.#seats.get(link.id);
    if (seat === undefined) return;
    const { clock } = this.#context;
    seat.aged = false;
    if (seat.lost !== null && !resumed) {
      this.#gap(seat, seat.lost.reason, clock.monotonicMs() - seat.lost.atMs);
    }
    seat.lost = null;
    seat.rejections = 0;
    seat.resumesLifeBefore = false;
    this.#closeBreaker();
    this.#accepted(seat);
    const takeover = seat.takingOver;
    if (takeover === null) {
      // Only open links are merged.
      this.#planIn(0);
      return;
    }
    takeover.deadline = clock.after(HANDOVER_MS, () => this.#finish(takeover));
    this.#completeIfDone(takeover);
  }

  over(link: Link, reason: LinkReason, wasOpen: boolean): void {
    const seat = this.#seats.get(link.id);
    if (seat === undefined || LINK_REASONS[reason].verdict === "own") return;
    if (wasOpen) seat.lost = { reason, atMs: this.#context.clock.monotonicMs() };
    this.#planIn(0);
    const isRejected = LINK_REASONS[reason].verdict === "reject";
    if (!isRejected && !wasOpen) this.#attemptFailed(link);
    const takeover = seat.takingOver ?? seat.givingUp;
    if (takeover !== null) this.#takeoverBroken(seat, takeover, isRejected);
    if (!this.#seats.has(link.id)) return;
    if (isRejected) this.#rejected(seat);
    else if (seat.isProbe) this.#postpone(seat);
  }

  aged(link: Link): void {
    const seat = this.#seats.get(link.id);
    if (seat === undefined) return;
    seat.aged = true;
    this.#planIn(0);
  }

  #takeoverBroken(seat: Seat, takeover: Takeover, isRejected: boolean): void {
    const heirIsOpen = takeover.deadline !== null;
    if (takeover.resumes && heirIsOpen) {
      // Either could bring what is still missing; the new one is to stay.
      this.#finish(takeover);
      return;
    }
    // The old links can resume, if they must; a new one that did not can't tell what they had still to bring.
    const isHeir = seat.takingOver !== null;
    const mayBlameKeys = isRejected && this.#routes.heldBy([seat]).some((route) => !route.proven);
    if (isHeir && !mayBlameKeys) this.#pauseReplacing();
    this.#disband(takeover);
  }

  #gap(seat: Seat, reason: LinkReason, downMs: number): void {
    this.#gapOn(this.#routes.topicsOf(seat), seat, reason, downMs);
  }

  #gapOn(topics: readonly string[], seat: Seat, reason: LinkReason, downMs: number): void {
    if (topics.length === 0) return;
    const { name, access } = this.#settings;
    const info = { feed: name, private: access === "private", reason, downMs };
    this.#counters.gaps++;
    this.#quietLog.warn(
      "gap",
      { feed: name, reason, downMs, link: seat.link.id, topics: topics.length },
      "events may be missing",
    );
    this.#context.sink.gap(topics, info);
  }

  holdBackMs(link: Link): number {
    const nowMs = this.#context.clock.monotonicMs();
    const { random } = this.#context;
    const [breaker, waitMs] = askLeave(this.#breaker, link.id, this.#breakerSettings, nowMs, random);
    this.#breaker = breaker;
    return waitMs;
  }

  #attemptFailed(link: Link): void {
    const { clock, random } = this.#context;
    const links = this.#acceptsAny() ? 0 : this.#seats.size;
    const before = this.#breaker;
    const after = attemptFailed(before, link.id, links, this.#breakerSettings, clock.monotonicMs(), random);
    this.#breaker = after;
    if (before.name === "closed" && after.name === "open") {
      const fields = { feed: this.#settings.name, links };
      this.#quietLog.warn(
        "feed_down",
        fields,
        "every link of the feed fails: one at a time tries from now on",
      );
    }
  }

  #closeBreaker(): void {
    const wasClosed = this.#breaker.name === "closed";
    this.#breaker = CLOSED;
    if (wasClosed) return;
    const waiting = [...this.#seats.values()].filter(({ link }) => link.state.name === "waiting");
    const withinMs = followWithinMs(waiting.length, this.#breakerSettings);
    for (const { link } of waiting) link.hurry(withinMs);
    this.#context.log.info({ feed: this.#settings.name, links: waiting.length, withinMs }, "feed is back");
  }

  // Keys that the feed rejects.

  /** What a rejected link's keys are to do: see `quarantine`. Also asked when circumstances have changed. */
  #judge(seat: Seat): void {
    const own = this.#routes.heldBy([seat]);
    const acceptsOthers = this.#acceptsAny();
    const judgement = judgeRejection({
      keys: own,
      isProbe: seat.isProbe,
      rejections: seat.rejections,
      acceptsOthers,
      othersWait: this.#quarantine.hasSuspects || this.#routes.homeless().length > 0,
    });
    if (judgement.do === "stay") return;
    const { clock, random } = this.#context;
    const asked = seat.keys.length;
    // A feed that accepts others may reject a key for its last event id too.
    const isAlone = asked === 1 && acceptsOthers;
    const trace = isAlone ? { ...traceOf(seat), lastEventId: "" } : traceOf(seat);
    const suspects = { keys: judgement.suspects, trace };
    this.#evict(seat, suspects.keys);
    if (judgement.keep.length > 0) this.#reopen(seat, this.#routesOf(judgement.keep));
    if (suspects.keys.length === 0) return;
    const convictedBefore = this.#quarantine.convicted;
    this.#quarantine.rejected(suspects, asked, acceptsOthers, clock.monotonicMs(), random);
    if (this.#quarantine.convicted > convictedBefore) {
      const fields = { feed: this.#settings.name, key: suspects.keys[0], ...seat.link.lastFailureInShort };
      this.#counters.keysRejected++;
      this.#quietLog.warn(
        "key_rejected",
        fields,
        "the feed rejects a key: it is asked for apart from others",
      );
    }
  }

  #rejected(seat: Seat): void {
    if (this.#routes.whole !== null) return;
    seat.rejections++;
    if (seat.resumesLifeBefore) seat.link.lastEventId = "";
    seat.resumesLifeBefore = false;
    this.#judge(seat);
  }

  /** A request was accepted: its keys are good, and whom the feed rejected while it accepted nothing is not to blame. */
  #accepted(seat: Seat): void {
    for (const key of seat.keys) {
      const route = this.#routes.get(key);
      if (route === undefined) continue;
      route.proven = true;
      if (route.seat === seat) route.quarantined = false;
    }
    if (seat === this.#probe) {
      this.#probe = null;
      seat.isProbe = false;
      if (this.#seats.size > this.#limits.linksMax) this.#giveUpPlace(seat);
    }
    this.#quarantine.accepted();
  }

  /** There is no place for the link that has found its keys to be good: they join others. */
  #giveUpPlace(seat: Seat): void {
    const { lost } = seat;
    const { clock } = this.#context;
    if (lost !== null) this.#gap(seat, lost.reason, clock.monotonicMs() - lost.atMs);
    for (const route of this.#routes.heldBy([seat])) route.seat = null;
    this.#vacate(seat, "replaced");
  }

  /** Neither accepted nor rejected: others are asked first. */
  #postpone(seat: Seat): void {
    const keys = this.#routes.heldBy([seat]).map((route) => route.key);
    const trace = traceOf(seat);
    this.#evict(seat, keys);
    if (keys.length > 0) this.#quarantine.postpone({ keys, trace }, this.#context.clock.monotonicMs());
  }

  /** Closes a link, some or all of whose keys go into quarantine. */
  #evict(seat: Seat, keys: readonly string[]): void {
    for (const route of this.#routesOf(keys)) {
      route.seat = null;
      route.proven = false;
      route.quarantined = true;
    }
    if (seat === this.#probe) this.#probe = null;
    this.#vacate(seat, "replaced");
  }

  #vet(keys: readonly string[]): void {
    for (const route of this.#routesOf(keys)) route.quarantined = true;
    this.#quarantine.vet({ keys, trace: NO_TRACE });
  }

  /** Asks for keys in quarantine, when it is time. Like a rotation it may take one link more than `linksMax`. */
  #probeNext(): void {
    const nowMs = this.#context.clock.monotonicMs();
    const { dueMs } = this.#quarantine;
    if (
      dueMs === null ||
      this.#probe !== null ||
      this.#breaker.name !== "closed" ||
      this.#seats.size > this.#limits.linksMax
    )
      return;
    const group = this.#quarantine.next(nowMs);
    if (group === null) this.#planIn(Math.max(1, dueMs - nowMs));
    else this.#openProbe(group);
  }

  #openProbe({ keys, trace }: Group<Trace>): void {
    const routes = this.#routesOf(keys);
    const seat = this.#takeSeat([], []);
    seat.keys = keys;
    seat.isProbe = true;
    seat.lost = trace.lost;
    seat.link.lastEventId = trace.lastEventId;
    this.#routes.assignResumed(routes, seat);
    this.#probe = seat;
    seat.link.open();
  }

  /** Its one key was rejected, and is convicted as soon as it is in somebody's way. */
  #isRejectedAlone({ link, keys }: Seat): boolean {
    return this.#routes.whole === null && link.state.name === "rejected" && keys.length === 1;
  }

  #acceptsAny(): boolean {
    return [...this.#seats.values()].some((seat) => seat.link.state.name === "open");
  }

  // Links being opened, replaced and closed.

  #keysChanged(): void {
    this.#keysChangedAtMs = this.#context.clock.monotonicMs();
    this.#planIn(this.#settings.pool.gatherMs);
  }

  /** Plans after so long, or earlier if that is already set. */
  #planIn(delayMs: number): void {
    const { clock } = this.#context;
    const dueMs = clock.monotonicMs() + delayMs;
    if (this.#planTimer !== null && this.#planTimer.dueMs <= dueMs) return;
    this.#planTimer?.timer.cancel();
    const timer = clock.after(delayMs, () => {
      this.#planTimer = null;
      this.#plan();
    });
    this.#planTimer = { timer, dueMs };
  }

  #plan(): void {
    const nowMs = this.#context.clock.monotonicMs();
    const quietAtMs = this.#keysChangedAtMs + QUIET_MS;
    const mayReplace = nowMs >= this.#replaceNotBeforeMs;
    if (this.#routes.whole === null) {
      for (const seat of [...this.#seats.values()])
        if (seat.link.state.name === "rejected") this.#judge(seat);
      if (this.#probe !== null && this.#routes.heldBy([this.#probe]).length === 0)
        this.#evict(this.#probe, []);
      this.#place(nowMs >= quietAtMs, mayReplace);
      this.#probeNext();
    }
    if (mayReplace && this.#seats.size <= this.#limits.linksMax) this.#rotate();
    if (this.#seats.size === 0) return;
    if (!mayReplace) this.#planIn(this.#replaceNotBeforeMs - nowMs);
    else if (this.#routes.whole === null && nowMs < quietAtMs) this.#planIn(quietAtMs - nowMs);
  }

  #place(quiet: boolean, mayReplace: boolean): void {
    const held = this.#routes.countHeld();
    const placed = [...this.#seats.values()]
      .filter((seat) => !seat.isProbe)
      .map((seat) => ({
        id: seat.link.id,
        keys: seat.keys.length,
        held: (held.get(seat) ?? 0) + (seat.takingOver?.pending.size ?? 0),
        settled: isSettled(seat),
        state: placedState(seat.link),
      }));
    const { keysPerLink, linksMax } = this.#limits;
    const isProbeWithin = this.#probe !== null && this.#seats.size <= linksMax;
    const limits = { keysPerLink, linksMax: isProbeWithin ? linksMax - 1 : linksMax };
    const keys = this.#routes.homeless().map((route) => route.key);
    for (const change of planPlacement(placed, keys, limits, quiet)) {
      if (change.do === "replace" && !mayReplace) continue;
      this.#change(change);
    }
  }

  #change(change: PlacementChange): void {
    switch (change.do) {
      case "close":
        this.#vacate(this.#seatOf(change.link), "unwanted");
        break;
      case "open":
        this.#openFor(this.#routesOf(change.keys));
        break;
      case "join": {
        const keys = this.#vetted(change.keys);
        if (keys.length === 0) break;
        this.#routes.assignResumed(this.#routesOf(keys), this.#seatOf(change.link));
        this.#seatOf(change.link).link.open();
        break;
      }
      case "replace": {
        const keys = this.#vetted(change.keys);
        if (keys.length === 0 && change.keys.length > 0) break;
        const from = change.links.map((id) => this.#seatOf(id));
        if (change.inPlace) this.#replaceInPlace(from[0] as Seat, this.#routesOf(keys));
        else this.#replace(from, this.#routesOf(keys));
        break;
      }
    }
  }

  /** A new link for those of the keys that stopped at the same event in the life before; the others' turn is next. */
  #openFor(routes: readonly Route[]): void {
    const groups = Map.groupBy(routes, (route) => route.resumeAfter);
    const [resumeAfter, own] = [...groups].sort(([, a], [, b]) => b.length - a.length)[0] ?? ["", []];
    for (const route of own) route.resumeAfter = "";
    const seat = this.#takeSeat(own, []);
    seat.resumesLifeBefore = resumeAfter !== "";
    seat.link.lastEventId = resumeAfter;
    seat.link.open();
    if (groups.size > 1) this.#planIn(0);
  }

  /** A merged state can't be made of what came since: the feed is asked for the whole instead. */
  #takeCursor(key: string): string {
    const { name, state } = this.#settings;
    return state === "merge" ? "" : (this.#context.cursors?.take(name, key) ?? "");
  }

  /** Those that may join others. In suspicious times keys that no request was ever accepted for are asked apart first. */
  #vetted(keys: readonly string[]): readonly string[] {
    if (!this.#quarantine.isWary(this.#context.clock.monotonicMs())) return keys;
    const isProven = (key: string) => this.#routes.get(key)?.proven === true;
    const unproven = keys.filter((key) => !isProven(key));
    if (unproven.length > 0) this.#vet(unproven);
    return keys.filter(isProven);
  }

  /** One link at a time, and only while none is being replaced anyway. */
  #rotate(): void {
    const seats = [...this.#seats.values()];
    const aged = seats.find((seat) => seat.aged && seat.link.state.name === "open");
    if (aged !== undefined && seats.every(isSettled)) this.#replace([aged], []);
  }

  /** A new link, not opened yet, for keys that are its own at once, and for keys that it is to take over. */
  #takeSeat(own: readonly Route[], pending: readonly Route[]): Seat {
    const { clock, random, log } = this.#context;
    const { name, health, retry } = this.#settings;
    const link = new Link(
      ++this.#linkId,
      this,
      {
        clock,
        random,
        log,
        quietLog: this.#quietLog,
        dialer: this.dialer,
        counters: this.#counters,
        feed: name,
      },
      { health, retry },
    );
    const keys = this.#routes.whole === null ? [...pending, ...own].map((route) => route.key) : [];
    const seat: Seat = {
      link,
      keys,
      takingOver: null,
      givingUp: null,
      lost: null,
      aged: false,
      isProbe: false,
      rejections: 0,
      resumesLifeBefore: false,
    };
    this.#seats.set(link.id, seat);
    for (const route of own) this.#routes.assign(route, seat);
    return seat;
  }

  #replace(from: readonly Seat[], added: readonly Route[]): void {
    const moved = this.#routes.heldBy(from);
    const heir = this.#takeSeat(added, moved);
    const takeover: Takeover = {
      heir,
      from,
      // Only the one link's own keys can be resumed from its last event: others would miss their beginning.
      resumes: from.length === 1 && added.length === 0,
      pending: new Set(moved),
      deadline: null,
    };
    heir.takingOver = takeover;
    for (const seat of from) seat.givingUp = takeover;
    for (const route of moved) this.#routes.handOver(route, heir);
    heir.link.open();
  }

  /** No room for one link more: closed first. What is between is resumed from the last event id, or is a gap. */
  #replaceInPlace(from: Seat, added: readonly Route[]): void {
    const nowMs = this.#context.clock.monotonicMs();
    const wasOpen = from.link.state.name === "open";
    const seat = this.#takeSeat(this.#routes.heldBy([from]), []);
    this.#routes.assignResumed(added, seat);
    seat.lost = wasOpen ? { reason: "replaced", atMs: nowMs } : from.lost;
    seat.link.lastEventId = from.link.lastEventId;
    this.#vacate(from, "replaced");
    seat.link.open();
  }

  /** Opens a link anew that was given up, for these of its keys, where it stopped. */
  #reopen(from: Seat, routes: readonly Route[]): void {
    const seat = this.#takeSeat(routes, []);
    seat.lost = from.lost;
    seat.link.lastEventId = from.link.lastEventId;
    seat.link.open();
  }

  /** The heir takes over what is not yet its own. */
  #finish(takeover: Takeover): void {
    for (const route of [...takeover.pending]) this.#routes.finish(route);
    this.#completeIfDone(takeover);
  }

  #moved(route: Route, heir: Seat): void {
    const takeover = heir.takingOver;
    if (takeover === null) return;
    takeover.pending.delete(route);
    this.#completeIfDone(takeover);
  }

  #completeIfDone(takeover: Takeover): void {
    const { heir } = takeover;
    if (takeover.pending.size > 0 || heir.takingOver !== takeover) return;
    takeover.deadline?.cancel();
    heir.takingOver = null;
    for (const seat of takeover.from) this.#vacate(seat, "replaced");
    this.#planIn(0);
  }

  /** What is not yet the heir's stays with the old links. A heir with no key of its own is closed. */
  #disband(takeover: Takeover): void {
    const { heir, from, pending } = takeover;
    takeover.deadline?.cancel();
    heir.takingOver = null;
    for (const seat of from) seat.givingUp = null;
    for (const route of pending) if (route.seat !== null) this.#routes.assign(route, route.seat);
    if (this.#routes.heldBy([heir]).length === 0) this.#vacate(heir, "closed");
    this.#planIn(0);
  }

  /** After a replacement has failed, and the old links stay, none is tried until the slowest retry would be. */
  #pauseReplacing(): void {
    this.#replaceNotBeforeMs = this.#context.clock.monotonicMs() + this.#settings.retry.maxMs;
  }

  #vacate(seat: Seat, reason: LinkReason): void {
    this.#seats.delete(seat.link.id);
    seat.link.destroy(reason);
  }

  #seatOf(link: number): Seat {
    return this.#seats.get(link) as Seat;
  }

  #routesOf(keys: readonly string[]): Route[] {
    return keys.map((key) => this.#routes.get(key) as Route);
  }
}

const NO_TRACE: Trace = { lastEventId: "", lost: null };

function traceOf({ link, lost }: Seat): Trace {
  return { lastEventId: link.lastEventId, lost };
}

function placedState(link: Link): PlacedLink["state"] {
  const { name } = link.state;
  return name === "open" || name === "connecting" ? name : "down";
}
