import { LINK_REASONS, type LinkReason } from "./link-reason.ts";
import { type PoolParts, tellGap } from "./pool-parts.ts";
import { type Group, judgeRejection, mayBeForLength, Quarantine } from "./quarantine.ts";
import { isSettled, type Route, type Seat, type Trace } from "./seat.ts";
import type { Takeovers } from "./takeovers.ts";

/** Performs what `quarantine` decides, for the keys of one pool: parts those that the feed rejects from the others. */
export class Ward {
  readonly #parts: PoolParts;
  readonly #takeovers: Takeovers;
  readonly #quarantine: Quarantine<Trace>;
  /** The link that asks for keys in quarantine: one at a time. */
  #probe: Seat | null = null;
  #convictsInPlaceNotBeforeMs = 0;
  /** Tries of convicted keys, in a row and in vain, that cost others a gap. */
  #costlyTries = 0;

  constructor(parts: PoolParts, takeovers: Takeovers) {
    this.#parts = parts;
    this.#takeovers = takeovers;
    const { minMs, maxMs } = parts.settings.retry;
    this.#quarantine = new Quarantine({
      paceMinMs: minMs,
      paceMaxMs: Math.max(minMs, maxMs / 8),
      againMs: maxMs,
      keysMax: parts.limits.keysPerLink,
    });
  }

  /** Keys that the feed rejects: they take no place on a link. */
  get size(): number {
    let undisturbing = 0;
    for (const seat of this.#parts.seats) if (this.#isRejectedAlone(seat)) undisturbing++;
    return this.#quarantine.convicted + undisturbing;
  }

  get isProbing(): boolean {
    return this.#probe !== null;
  }

  holds({ key, seat }: Route): boolean {
    return this.#quarantine.isConvicted(key) || (seat !== null && this.#isRejectedAlone(seat));
  }

  /** A key is wanted anew: one that was convicted lately is held here at once. */
  admit(route: Route): void {
    route.quarantined = this.#quarantine.detain(route.key, NO_TRACE, this.#nowMs);
  }

  released(route: Route): void {
    if (route.quarantined) this.#quarantine.release(route.key);
  }

  /**
   * One of several keys must not end the others' link for good, while the feed does want other links. Nor must many long
   * ones keep it from being opened: a server may break off what asks for too much, and answer nothing.
   */
  isForSomeKey(seat: Seat, reason: LinkReason, wasOpen: boolean): boolean {
    const { routes, seats } = this.#parts;
    const isMixed = seat.keys.length > 1 || seat.isProbe;
    if (LINK_REASONS[reason].verdict === "end") return isMixed && seats.hasOpen;
    if (wasOpen || seat.keys.length < 2 || !mayBeForLength(reason, seat.urlLength)) return false;
    // Where all of them were accepted before, it is more likely that the feed is down, or a part of it.
    return routes.heldBy([seat]).some(({ proven }) => !proven);
  }

  /**
   * A link's request was rejected.
   *
   * @param isAnswer false: it was only broken off, for some of its keys perhaps, so that no key of several is convicted by it
   */
  rejected(seat: Seat, isAnswer: boolean): void {
    if (seat.resumesLifeBefore) seat.link.lastEventId = "";
    seat.resumesLifeBefore = false;
    if (this.#parts.routes.whole !== null) return;
    seat.rejections++;
    this.#judge(seat, isAnswer);
  }

  /** A link's request was accepted: its keys are good, and whom the feed rejected while it accepted nothing is not to blame. */
  accepted(seat: Seat): void {
    const { routes } = this.#parts;
    seat.rejections = 0;
    seat.resumesLifeBefore = false;
    for (const key of seat.keys) {
      const route = routes.get(key);
      if (route === undefined) continue;
      route.proven = true;
      if (route.seat === seat) route.quarantined = false;
    }
    if (seat === this.#probe) {
      this.#probe = null;
      seat.isProbe = false;
    }
    this.#quarantine.accepted();
    if (this.#quarantine.convicted === 0) this.#costlyTries = 0;
  }

  /** The probe's request was neither accepted nor rejected: others are asked first. */
  postpone(seat: Seat): void {
    const keys = this.#parts.routes.heldBy([seat]).map((route) => route.key);
    const trace = traceOf(seat);
    this.#evict(seat, keys);
    if (keys.length > 0) this.#quarantine.postpone({ keys, trace }, this.#nowMs);
  }

  /** Circumstances have changed: what was in nobody's way may be now, and what was to be asked may be wanted no more. */
  review(): void {
    const { routes, seats } = this.#parts;
    for (const seat of [...seats]) if (seat.link.state.name === "rejected") this.#judge(seat);
    if (this.#probe !== null && routes.heldBy([this.#probe]).length === 0) this.#evict(this.#probe, []);
  }

  /** Those that may join others. In suspicious times keys that no request was ever accepted for are asked apart first. */
  vetted(keys: readonly string[]): readonly string[] {
    if (!this.#quarantine.isWary(this.#nowMs)) return keys;
    const { routes } = this.#parts;
    const isProven = (key: string) => routes.get(key)?.proven === true;
    const unproven = keys.filter((key) => !isProven(key));
    if (unproven.length > 0) {
      for (const route of routes.those(unproven)) route.quarantined = true;
      this.#quarantine.vet({ keys: unproven, trace: NO_TRACE });
    }
    return keys.filter(isProven);
  }

  /** Asks for keys in quarantine, when it is time: by a link of their own, or where there is no place for one, in place. */
  probe(): void {
    const { seats, limits, planIn } = this.#parts;
    const { dueMs } = this.#quarantine;
    if (dueMs === null || this.#probe !== null) return;
    if (dueMs > this.#nowMs) planIn(dueMs - this.#nowMs);
    else if (seats.size >= limits.linksMax) this.#probeInPlace();
    else {
      const group = this.#quarantine.next(this.#nowMs);
      if (group !== null) this.#openProbe(group);
    }
  }

  get #nowMs(): number {
    return this.#parts.context.clock.monotonicMs();
  }

  #judge(seat: Seat, isAnswer = true): void {
    const { context, counters, quietLog, routes, seats, settings } = this.#parts;
    const acceptsOthers = seats.hasOpen;
    const held = routes.heldBy([seat]);
    const judgement = judgeRejection({
      keys: held,
      gone: seat.keys.length - held.length,
      isProbe: seat.isProbe,
      rejections: seat.rejections,
      acceptsOthers,
      othersWait: this.#quarantine.hasSuspects || routes.homeless().length > 0,
    });
    if (judgement.do === "stay") return;
    const isWithGood = judgement.keep.length > 0;
    const asked = isWithGood && isAnswer ? judgement.suspects.length : seat.keys.length;
    // A feed that accepts others may reject a key for its last event id too.
    const isAlone = seat.keys.length === 1 && acceptsOthers;
    // Those that were never accepted beside good ones have neither missed anything there nor a place to go on from.
    const trace = isWithGood ? NO_TRACE : isAlone ? { ...traceOf(seat), lastEventId: "" } : traceOf(seat);
    const keys = judgement.suspects;
    this.#evict(seat, keys);
    if (judgement.keep.length > 0) this.#takeovers.reopen(seat, routes.those(judgement.keep));
    if (keys.length === 0) return;
    const convictedBefore = this.#quarantine.convicted;
    const accepts = acceptsOthers || (isWithGood && isAnswer);
    this.#quarantine.rejected({ keys, trace }, asked, accepts, this.#nowMs, context.random);
    if (this.#quarantine.convicted === convictedBefore) return;
    counters.keysRejected++;
    const fields = { feed: settings.name, key: keys[0], ...seat.link.lastFailureInShort };
    quietLog.warn("key_rejected", fields, "the feed rejects a key: it is asked for apart from others");
  }

  /**
   * A link with room is replaced by one that asks for the suspects too. Rejected, it goes on without them where it
   * stopped. For keys that stand convicted that is done rarely, and ever more rarely where no link can resume.
   */
  #probeInPlace(): void {
    const { routes, limits, planIn, settings } = this.#parts;
    const nowMs = this.#nowMs;
    const held = routes.countHeld();
    const room = (seat: Seat) => limits.keysPerLink - (held.get(seat) ?? 0);
    const hosts = [...this.#parts.seats].filter((seat) => this.#mayHost(seat) && room(seat) > 0);
    const resumable = hosts.filter(({ link }) => link.lastEventId !== "");
    const [host] = (resumable.length > 0 ? resumable : hosts).sort((a, b) => room(b) - room(a));
    if (host === undefined) {
      // Otherwise there will be one when links have come to rest.
      if (this.#isCrowded(held)) this.#parts.crowdedOut(this.#quarantine.due(nowMs));
      return;
    }
    const isForConvicts = !this.#quarantine.hasSuspects;
    if (isForConvicts && nowMs < this.#convictsInPlaceNotBeforeMs) {
      planIn(this.#convictsInPlaceNotBeforeMs - nowMs);
      return;
    }
    const group = this.#quarantine.next(nowMs, room(host), isForConvicts);
    if (group === null) return;
    if (isForConvicts) {
      const doublings = resumable.length > 0 ? 0 : Math.min(this.#costlyTries++, COSTLY_DOUBLINGS_MAX);
      this.#convictsInPlaceNotBeforeMs = nowMs + settings.retry.maxMs * 2 ** doublings;
    }
    const { keys, trace } = group;
    if (trace.lost !== null) tellGap(this.#parts, host, trace.lost, routes.topicsOfKeys(keys));
    this.#takeovers.replaceInPlace(host, routes.those(keys));
  }

  /** Whether no link has a place left, and none will have before keys are let go. */
  #isCrowded(held: ReadonlyMap<Seat, number>): boolean {
    const { seats, limits } = this.#parts;
    return [...seats].every((seat) => isSettled(seat) && (held.get(seat) ?? 0) >= limits.keysPerLink);
  }

  #mayHost(seat: Seat): boolean {
    return isSettled(seat) && this.#parts.routes.isUpToDate(seat);
  }

  /** Closes a link, some or all of whose keys go into quarantine. */
  #evict(seat: Seat, keys: readonly string[]): void {
    const { routes, seats } = this.#parts;
    for (const route of routes.those(keys)) {
      routes.unassign(route);
      route.proven = false;
      route.quarantined = true;
    }
    if (seat === this.#probe) this.#probe = null;
    seats.vacate(seat, "replaced");
  }

  #openProbe({ keys, trace }: Group<Trace>): void {
    const { routes, seats } = this.#parts;
    // It resumes, if it does, where the link stopped that these keys were on: nothing of theirs is repeated.
    const seat = seats.take(routes.those(keys), []);
    seat.isProbe = true;
    seat.lost = trace.lost;
    seat.link.lastEventId = trace.lastEventId;
    this.#probe = seat;
    seat.link.open();
  }

  /** Its one key was rejected, and is convicted as soon as it is in somebody's way. */
  #isRejectedAlone({ link, keys }: Seat): boolean {
    return this.#parts.routes.whole === null && link.state.name === "rejected" && keys.length === 1;
  }
}

/** Convicted keys are tried at the cost of a gap once in 2³ × `retry.max` at last. */
const COSTLY_DOUBLINGS_MAX = 3;

const NO_TRACE: Trace = { lastEventId: "", lost: null };

function traceOf({ link, lost }: Seat): Trace {
  return { lastEventId: link.lastEventId, lost };
}
