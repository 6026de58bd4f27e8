/** A link that resumed has caught up when it has been open for so long, in milliseconds. */
export const CATCH_UP_MS = 2000;

/** What is held back for one key while it is in doubt: above any, the oldest goes. `lengthOfAll`: for all keys of a link. */
export const REJOIN_BOUNDS = { events: 4096, length: 1_048_576, lengthOfAll: 16_777_216 } as const;

/**
 * How a key that was published before comes back on a link that resumes where it stood itself, which may be before
 * or behind the key's own last event: ids can't be compared, and different links are at different places.
 *
 * ```
 * in doubt ──the key's last event──▶ met ──an event after it──▶ over
 *    └──────────────── time ─────────────────────────────────────┘
 * ```
 *
 * While in doubt, the key's events are held back. When its last event comes again, everything up to it was a repeat,
 * and is dropped. When it has not come although the link has long caught up, there was none, and what was held back
 * is new. How much is repeated does not matter: only the last event is remembered.
 *
 * Both methods answer what is to be published now, in order.
 */
export class Rejoin<Event> {
  readonly #lastId: string;
  readonly #lengthMax: number;
  #state: "doubt" | "met" | "over" = "doubt";
  #held: { readonly event: Event; readonly length: number }[] = [];
  #heldLength = 0;
  /** Events dropped since they were repeats. */
  doubles = 0;
  /** Events that were let go for want of room, and may have been new. */
  #overflowed = 0;

  /**
   * @param lastId id of the key's last event; "": it had none, so that only time can tell
   * @param keys how many keys the link has in doubt, which share what may be held back
   */
  constructor(lastId: string, keys = 1) {
    this.#lastId = lastId;
    this.#lengthMax = Math.min(REJOIN_BOUNDS.length, REJOIN_BOUNDS.lengthOfAll / keys);
  }

  /** Whether events may be missing before what is published next. */
  get isLossy(): boolean {
    return this.#overflowed > 0;
  }

  get isOver(): boolean {
    return this.#state === "over";
  }

  /** @param length of the event's data, for the bound */
  arrive(id: string | null, event: Event, length: number): readonly Event[] {
    if (this.#state === "over") return [event];
    if (this.#lastId !== "" && id === this.#lastId) {
      this.#state = "met";
      this.doubles += 1 + this.#held.length + this.#overflowed;
      this.#overflowed = 0;
      this.#held = [];
      this.#heldLength = 0;
      return [];
    }
    if (this.#state === "met") {
      this.#state = "over";
      return [event];
    }
    this.#held.push({ event, length });
    this.#heldLength += length;
    while (this.#held.length > REJOIN_BOUNDS.events || this.#heldLength > this.#lengthMax) {
      this.#overflowed++;
      this.#heldLength -= this.#held.shift()?.length ?? 0;
    }
    return [];
  }

  /** The link has caught up. */
  finish(): readonly Event[] {
    this.#state = "over";
    const held = this.#held;
    this.#held = [];
    return held.map(({ event }) => event);
  }
}
