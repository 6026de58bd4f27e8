import { GapPace } from "./gap-pace.ts";
import type { Link } from "./link.ts";
import type { LinkReason } from "./link-reason.ts";
import type { Routes } from "./routes.ts";
import type { Route, Seat } from "./seat.ts";

/** The links of one pool. What is taken here is vacated here; a link that was vacated has nothing more to say. */
export class Seats implements Iterable<Seat> {
  readonly #seats = new Map<number, Seat>();
  readonly #routes: Routes;
  readonly #makeLink: (id: number) => Link;
  #lastId = 0;

  constructor(routes: Routes, makeLink: (id: number) => Link) {
    this.#routes = routes;
    this.#makeLink = makeLink;
  }

  get size(): number {
    return this.#seats.size;
  }

  get(link: number): Seat | undefined {
    return this.#seats.get(link);
  }

  [Symbol.iterator](): IterableIterator<Seat> {
    return this.#seats.values();
  }

  /** Whether the feed accepts any link now. */
  get hasOpen(): boolean {
    return this.#seats.values().some(({ link }) => link.state.name === "open");
  }

  /** A new link, not opened yet, for keys that are its own at once, and for keys that it is to take over. */
  take(own: readonly Route[], pending: readonly Route[]): Seat {
    const link = this.#makeLink(++this.#lastId);
    const isKeyed = this.#routes.whole === null;
    const seat: Seat = {
      link,
      keys: isKeyed ? [...pending, ...own].map((route) => route.key) : [],
      urlLength: 0,
      urlAt: 0,
      failsBackAtMs: null,
      takingOver: null,
      givingUp: null,
      lost: null,
      aged: false,
      isProbe: false,
      rejections: 0,
      fallback: null,
      gapPace: new GapPace(),
      resumesLifeBefore: false,
    };
    this.#seats.set(link.id, seat);
    for (const route of own) this.#routes.assign(route, seat);
    return seat;
  }

  vacate(seat: Seat, reason: LinkReason): void {
    this.#seats.delete(seat.link.id);
    seat.link.destroy(reason);
  }

  vacateAll(): void {
    for (const seat of this.#seats.values()) {
      seat.takingOver?.deadline?.cancel();
      seat.link.destroy("closed");
    }
    this.#seats.clear();
  }
}
