import type { TopicMatcher } from "#protocol/topic-matcher.ts";

/** Gaps that are remembered one by one. Of what went before them only the last sequence is. */
const GAPS_MAX = 1024;

/**
 * Where in the log events are missing that should have come: for resumes by pattern, which know no topics by name.
 * A gap has a sequence number of its own, so that a cursor stands either before it or after it.
 */
export class GapBook {
  readonly #gaps: { readonly sequence: number; readonly topics: readonly string[] }[] = [];
  #forgottenThrough = 0;
  #newest = 0;

  /** Sequence of the newest gap; 0 without any. */
  get newest(): number {
    return this.#newest;
  }

  note(sequence: number, topics: readonly string[]): void {
    this.#newest = sequence;
    this.#gaps.push({ sequence, topics });
    if (this.#gaps.length > GAPS_MAX) this.#forgottenThrough = this.#gaps.shift()?.sequence ?? 0;
  }

  /** Sequence of the newest gap on a topic that a selector matches; 0 without any. */
  newestOn(selectors: readonly TopicMatcher[]): number {
    const gap = this.#gaps.findLast(({ topics }) =>
      topics.some((topic) => selectors.some((selector) => selector.matches(topic))),
    );
    return gap?.sequence ?? this.#forgottenThrough;
  }

  /** Nobody resumes from before this sequence any more. */
  forgetThrough(sequence: number): void {
    while (this.#gaps.length > 0 && (this.#gaps[0]?.sequence ?? 0) <= sequence) this.#gaps.shift();
  }
}
