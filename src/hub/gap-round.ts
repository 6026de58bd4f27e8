import type { EventSink, Gap, GapPart, PatternGroup, Subscription, Topic } from "./topic.ts";

/**
 * Who is to be told of one gap, and of what. What a pattern would have brought is gathered by pattern, and not by its
 * subscribers: thousands of them times thousands of topics would be millions.
 */
export class GapRound {
  readonly #told = new Map<EventSink, GapPart[]>();
  readonly #ofPatterns = new Map<PatternGroup, string[]>();

  add({ name, subscribers }: Topic, patterns: readonly PatternGroup[]): void {
    const [first] = subscribers;
    if (first !== undefined) this.#note({ selector: first.selector, names: [name] }, subscribers);
    for (const group of patterns) {
      const matched = this.#ofPatterns.get(group);
      if (matched === undefined) this.#ofPatterns.set(group, [name]);
      else matched.push(name);
    }
  }

  /** Called once, last: a sink may well leave when it hears it. */
  tell(gap: Omit<Gap, "parts">): void {
    for (const [{ matcher, subscribers }, names] of this.#ofPatterns)
      this.#note({ selector: matcher, names }, subscribers);
    for (const [sink, parts] of this.#told) sink.gap?.({ ...gap, parts });
  }

  #note(part: GapPart, subscriptions: Iterable<Subscription>): void {
    for (const { sink } of subscriptions) {
      const parts = this.#told.get(sink);
      if (parts === undefined) this.#told.set(sink, [part]);
      else parts.push(part);
    }
  }
}
