import { type PoolParts, tellGap } from "./pool-parts.ts";
import { type Group, judgeRejection, Quarantine } from "./quarantine.ts";
import type { Route, Seat, Trace } from "./seat.ts";
import type { Takeovers } from "./takeovers.ts";

/** Performs what `quarantine` decides, for the keys of one pool: parts those that the feed rejects from the others. */
export class Ward {
  readonly #parts: PoolParts;
  readonly #takeovers: Takeovers;
  readonly #quarantine: Quarantine<Trace>;
  /** The link that asks for keys in quarantine: one at a time. */
  #probe: Seat | null = null;

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

  /** A link's request was rejected. */
  rejected(seat: Seat): void {
    if (this.#parts.routes.whole !== null) return;
    seat.rejections++;
    if (seat.resumesLifeBefore) seat.link.lastEventId = "";
    seat.resumesLifeBefore = false;
    this.#judge(seat);
  }

  /** A link's request was accepted: its keys are good, and whom the feed rejected while it accepted nothing is not to blame. */
  accepted(seat: Seat): void {
    const { routes, seats, limits } = this.#parts;
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
      if (seats.size > limits.linksMax) this.#giveUpPlace(seat);
    }
    this.#quarantine.accepted();
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

  /** Asks for keys in quarantine, when it is time. A probe may take one link more than `linksMax`, as a rotation may. */
  probe(): void {
    const { seats, limits, planIn } = this.#parts;
    const { dueMs } = this.#quarantine;
    if (dueMs === null || this.#probe !== null || seats.size > limits.linksMax) return;
    const group = this.#quarantine.next(this.#nowMs);
    if (group === null) planIn(Math.max(1, dueMs - this.#nowMs));
    else this.#openProbe(group);
  }

  get #nowMs(): number {
    return this.#parts.context.clock.monotonicMs();
  }

  #judge(seat: Seat): void {
    const { context, counters, quietLog, routes, seats, settings } = this.#parts;
    const acceptsOthers = seats.hasOpen;
    const judgement = judgeRejection({
      keys: routes.heldBy([seat]),
      isProbe: seat.isProbe,
      rejections: seat.rejections,
      acceptsOthers,
      othersWait: this.#quarantine.hasSuspects || routes.homeless().length > 0,
    });
    if (judgement.do === "stay") return;
    const asked = seat.keys.length;
    // A feed that accepts others may reject a key for its last event id too.
    const isAlone = asked === 1 && acceptsOthers;
    const trace = isAlone ? { ...traceOf(seat), lastEventId: "" } : traceOf(seat);
    const keys = judgement.suspects;
    this.#evict(seat, keys);
    if (judgement.keep.length > 0) this.#takeovers.reopen(seat, routes.those(judgement.keep));
    if (keys.length === 0) return;
    const convictedBefore = this.#quarantine.convicted;
    this.#quarantine.rejected({ keys, trace }, asked, acceptsOthers, this.#nowMs, context.random);
    if (this.#quarantine.convicted === convictedBefore) return;
    counters.keysRejected++;
    const fields = { feed: settings.name, key: keys[0], ...seat.link.lastFailureInShort };
    quietLog.warn("key_rejected", fields, "the feed rejects a key: it is asked for apart from others");
  }

  /** There is no place for the link that has found its keys to be good: they join others. */
  #giveUpPlace(seat: Seat): void {
    const { routes, seats } = this.#parts;
    const { lost } = seat;
    if (lost !== null) tellGap(this.#parts, seat, lost.reason, lost.atMs);
    for (const route of routes.heldBy([seat])) route.seat = null;
    seats.vacate(seat, "replaced");
  }

  /** Closes a link, some or all of whose keys go into quarantine. */
  #evict(seat: Seat, keys: readonly string[]): void {
    for (const route of this.#parts.routes.those(keys)) {
      route.seat = null;
      route.proven = false;
      route.quarantined = true;
    }
    if (seat === this.#probe) this.#probe = null;
    this.#parts.seats.vacate(seat, "replaced");
  }

  #openProbe({ keys, trace }: Group<Trace>): void {
    const { routes, seats } = this.#parts;
    const seat = seats.take([], []);
    seat.keys = keys;
    seat.isProbe = true;
    seat.lost = trace.lost;
    seat.link.lastEventId = trace.lastEventId;
    routes.assignResumed(routes.those(keys), seat);
    this.#probe = seat;
    seat.link.open();
  }

  /** Its one key was rejected, and is convicted as soon as it is in somebody's way. */
  #isRejectedAlone({ link, keys }: Seat): boolean {
    return this.#parts.routes.whole === null && link.state.name === "rejected" && keys.length === 1;
  }
}

const NO_TRACE: Trace = { lastEventId: "", lost: null };

function traceOf({ link, lost }: Seat): Trace {
  return { lastEventId: link.lastEventId, lost };
}
