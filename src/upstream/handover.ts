/** Events of one key that are remembered, and held back, for one hand-over. Above it, the heir takes over at once. */
export const HANDOVER_EVENTS_MAX = 4096;

/** Length of the data that is held back for one hand-over, in UTF-16 code units. Above it likewise. */
export const HANDOVER_LENGTH_MAX = 16_777_216;

/**
 * How one key goes from a link (the owner) to another one that replaces it (the heir) while both deliver its events.
 *
 * The change happens at an event that both have delivered. What the owner delivered since the heir's request was
 * sent is remembered: when the heir brings one of these, everything after it is the heir's, and the rest of what it
 * repeats is dropped. When the heir is ahead, its events wait until the owner brings the first of them. So nothing
 * falls between, nothing comes twice, and the order stays, whether or not the feed replays.
 *
 * An event is known by its id, or by its content where the feed has no ids. Then one that repeats another of the
 * same moment word for word is taken for the same.
 *
 * Both methods answer what is to be published now, in order.
 */
export class Handover<Event> {
  #owner: "owner" | "heir" = "owner";
  /** Ids that an earlier owner delivered, and that both may still repeat. */
  readonly #before: Set<string>;
  /** Ids that the owner has delivered since the heir's request was sent. */
  readonly #delivered = new Set<string>();
  /** What the heir has delivered and the owner has not. */
  #ahead: { readonly id: string; readonly event: Event }[] = [];
  #aheadLength = 0;
  /** Events dropped since the other link had brought them. */
  doubles = 0;

  /** @param before ids that were published, and that both links may repeat */
  constructor(before: ReadonlySet<string> | null = null) {
    this.#before = new Set(before);
  }

  /** Ids that the next owner may still repeat. */
  get remembered(): ReadonlySet<string> {
    return this.#before.union(this.#delivered);
  }

  /** Whether the key is the heir's. */
  get isDone(): boolean {
    return this.#owner === "heir";
  }

  /** Whether nothing is remembered any more: the key's events need not come this way. */
  get isForgotten(): boolean {
    return this.isDone && this.#delivered.size === 0 && this.#before.size === 0;
  }

  /** The heir sends its request, perhaps again: what the owner delivered before is not repeated after it. */
  heirDialled(): void {
    if (this.isDone) return;
    this.#delivered.clear();
    this.#ahead = [];
    this.#aheadLength = 0;
  }

  fromOwner(id: string, event: Event): readonly Event[] {
    if (this.isDone || this.#before.has(id)) {
      this.doubles++;
      return [];
    }
    const met = this.#ahead.findIndex((each) => each.id === id);
    if (met !== -1) {
      this.#ahead.splice(met, 1, { id, event });
      this.doubles++;
      return this.finish();
    }
    this.#delivered.add(id);
    return this.#delivered.size > HANDOVER_EVENTS_MAX ? [event, ...this.finish()] : [event];
  }

  /** @param length of the event's data, for the bound */
  fromHeir(id: string, event: Event, length = 0): readonly Event[] {
    if (this.#delivered.has(id) || this.#before.has(id)) {
      // What the heir brought before it is older still.
      this.doubles += 1 + this.#ahead.length;
      this.#ahead = [];
      this.#owner = "heir";
      return [];
    }
    if (this.isDone) {
      // Past everything that the owner had delivered.
      this.#forget();
      return [event];
    }
    this.#ahead.push({ id, event });
    this.#aheadLength += length;
    const isFull = this.#ahead.length > HANDOVER_EVENTS_MAX || this.#aheadLength > HANDOVER_LENGTH_MAX;
    return isFull ? this.finish() : [];
  }

  /** The heir takes over, whatever is missing: the owner is gone, or nothing came in time that would settle it. */
  finish(): readonly Event[] {
    this.#owner = "heir";
    const ahead = this.#ahead;
    this.#ahead = [];
    return ahead.map((each) => each.event);
  }

  #forget(): void {
    this.#delivered.clear();
    this.#before.clear();
  }
}
