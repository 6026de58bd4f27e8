import type { PoolParts } from "./pool-parts.ts";
import { CATCH_UP_MS } from "./rejoin.ts";
import type { Fallback, Route, Seat, Takeover } from "./seat.ts";

/** How long a new link waits for a quiet key's event that it and the old one both deliver, before it takes the key over. */
export const HANDOVER_MS = CATCH_UP_MS;

/** Links replaced by others: opened before the old ones are closed where there is room, after where there is none. */
export class Takeovers {
  readonly #parts: PoolParts;

  constructor(parts: PoolParts) {
    this.#parts = parts;
  }

  /** Opens a link for all keys of these ones and for further ones; the old ones are closed when it has taken over. */
  replace(from: readonly Seat[], added: readonly Route[], urlAt = from[0]?.urlAt ?? 0): void {
    const { routes, seats } = this.#parts;
    const moved = routes.heldBy(from);
    const heir = seats.take(added, moved);
    heir.urlAt = urlAt;
    // Only the one link's own keys can be resumed from its last event: others would miss their beginning.
    const resumes = from.length === 1 && added.length === 0;
    this.#begin({ heir, from, resumes, pending: new Set(moved), deadline: null });
    heir.link.open();
  }

  /** No room for one link more: closed first. What is between is resumed from the last event id, or is a gap. */
  replaceInPlace(from: Seat, added: readonly Route[]): void {
    const { routes } = this.#parts;
    const seat = this.#closedFirst(from);
    for (const route of added) routes.assign(route, seat);
    routes.rejoin(added, seat);
    seat.link.open();
  }

  /**
   * The same for several: the first is closed, and its successor, which resumes where it stood, takes over from the
   * others, which stay open. How far it repeats the others' keys is found out as for keys that come back.
   */
  mergeInPlace(from: readonly [Seat, ...Seat[]]): void {
    const { routes } = this.#parts;
    const [first, ...others] = from;
    const heir = this.#closedFirst(first);
    const moved = routes.heldBy(others);
    heir.keys = routes.heldBy([heir, ...others]).map((route) => route.key);
    this.#begin({ heir, from: others, resumes: false, pending: new Set(moved), deadline: null });
    routes.rejoin(moved, heir);
    heir.link.open();
  }

  /** Opens a link anew that was given up, for these of its keys, where it stopped. */
  reopen(from: Seat, routes: readonly Route[]): void {
    this.#successor(from, routes).link.open();
  }

  /** The new link is open: from now on its events count. */
  opened(takeover: Takeover): void {
    takeover.deadline = this.#parts.context.clock.after(HANDOVER_MS, () => this.#finish(takeover));
    this.#completeIfDone(takeover);
  }

  /** One of the links is over. Answers false when the replacement is given up, and the old links stay. */
  broken(takeover: Takeover): boolean {
    const heirIsOpen = takeover.deadline !== null;
    if (takeover.resumes && heirIsOpen) {
      // Either could bring what is still missing; the new one is to stay.
      this.#finish(takeover);
      return true;
    }
    // The old links can resume, if they must; a new one that did not can't tell what they had still to bring.
    this.#disband(takeover);
    return false;
  }

  /** A link that has had no event of its own goes on where one of those stood that it has taken over from, or starts anew. */
  fallBack(seat: Seat): void {
    const { routes } = this.#parts;
    const { fallback, link } = seat;
    seat.fallback = null;
    if (fallback === null) {
      routes.startAnew(seat);
      return;
    }
    link.lastEventId = fallback.lastEventId;
    const others = routes.heldBy([seat]).filter(({ key }) => !fallback.keys.has(key));
    routes.rejoin(others, seat);
  }

  /** A key has gone to the link that was to take it over. */
  moved(route: Route, heir: Seat): void {
    const takeover = heir.takingOver;
    if (takeover === null) return;
    takeover.pending.delete(route);
    this.#completeIfDone(takeover);
  }

  /** A key was let go. */
  released(route: Route): void {
    const takeover = route.handover?.heir.takingOver;
    if (takeover?.pending.delete(route)) this.#completeIfDone(takeover);
  }

  #begin(takeover: Takeover): void {
    const { heir, from, pending } = takeover;
    heir.takingOver = takeover;
    for (const seat of from) seat.givingUp = takeover;
    for (const route of pending) this.#parts.routes.handOver(route, heir);
  }

  #closedFirst(from: Seat): Seat {
    const { routes, seats, context } = this.#parts;
    const seat = this.#successor(from, routes.heldBy([from]));
    if (from.link.state.name === "open")
      seat.lost = { reason: "replaced", atMs: context.clock.monotonicMs() };
    seats.vacate(from, "replaced");
    return seat;
  }

  #successor(from: Seat, routes: readonly Route[]): Seat {
    const seat = this.#parts.seats.take(routes, []);
    seat.urlAt = from.urlAt;
    seat.lost = from.lost;
    seat.link.lastEventId = from.link.lastEventId;
    return seat;
  }

  /** The heir takes over what is not yet its own. */
  #finish(takeover: Takeover): void {
    const { heir, from, pending } = takeover;
    heir.fallback = this.#fallbackOf(from);
    for (const route of [...pending]) this.#parts.routes.finish(route);
    this.#completeIfDone(takeover);
  }

  /** What the links brought last was before anything that the new one, open all the while, would have missed. */
  #fallbackOf(from: readonly Seat[]): Fallback | null {
    const seat = from.find(({ link }) => link.lastEventId !== "");
    if (seat === undefined) return null;
    const keys = this.#parts.routes.heldBy([seat]).map((route) => route.key);
    return { lastEventId: seat.link.lastEventId, keys: new Set(keys) };
  }

  #completeIfDone(takeover: Takeover): void {
    const { heir } = takeover;
    if (takeover.pending.size > 0 || heir.takingOver !== takeover) return;
    takeover.deadline?.cancel();
    heir.takingOver = null;
    for (const seat of takeover.from) this.#parts.seats.vacate(seat, "replaced");
    this.#parts.planIn(0);
  }

  /** What is not yet the heir's stays with the old links. A heir with no key of its own is closed. */
  #disband(takeover: Takeover): void {
    const { routes, seats, planIn } = this.#parts;
    const { heir, from, pending } = takeover;
    takeover.deadline?.cancel();
    heir.takingOver = null;
    for (const seat of from) seat.givingUp = null;
    for (const route of pending) if (route.seat !== null) routes.assign(route, route.seat);
    if (routes.heldBy([heir]).length === 0) seats.vacate(heir, "closed");
    planIn(0);
  }
}
