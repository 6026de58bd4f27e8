import type { PoolParts } from "./pool-parts.ts";
import type { Route, Seat, Takeover } from "./seat.ts";

/** How long a new link waits for a quiet key's event that it and the old one both deliver, before it takes the key over. */
export const HANDOVER_MS = 2000;

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
    const takeover: Takeover = {
      heir,
      from,
      // Only the one link's own keys can be resumed from its last event: others would miss their beginning.
      resumes: from.length === 1 && added.length === 0,
      pending: new Set(moved),
      deadline: null,
    };
    heir.urlAt = urlAt;
    heir.takingOver = takeover;
    for (const seat of from) seat.givingUp = takeover;
    for (const route of moved) routes.handOver(route, heir);
    heir.link.open();
  }

  /** No room for one link more: closed first. What is between is resumed from the last event id, or is a gap. */
  replaceInPlace(from: Seat, added: readonly Route[]): void {
    const { routes, seats, context } = this.#parts;
    const wasOpen = from.link.state.name === "open";
    const seat = this.#successor(from, routes.heldBy([from]));
    routes.assignResumed(added, seat);
    if (wasOpen) seat.lost = { reason: "replaced", atMs: context.clock.monotonicMs() };
    seats.vacate(from, "replaced");
    seat.link.open();
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

  #successor(from: Seat, routes: readonly Route[]): Seat {
    const seat = this.#parts.seats.take(routes, []);
    seat.urlAt = from.urlAt;
    seat.lost = from.lost;
    seat.link.lastEventId = from.link.lastEventId;
    return seat;
  }

  /** The heir takes over what is not yet its own. */
  #finish(takeover: Takeover): void {
    for (const route of [...takeover.pending]) this.#parts.routes.finish(route);
    this.#completeIfDone(takeover);
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
