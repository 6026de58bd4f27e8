import type { TopicMatcher } from "#protocol/topic-matcher.ts";

/** Gaps that are remembered one by one. Of what went before them only the last sequence is. */
const GAPS_MAX = 1024;

export interface NotedGap {
  readonly sequence: number;
  readonly topics: readonly string[];
}

/** What a gap book of the next life needs to know. */
export interface GapMemory {
  readonly gaps: readonly NotedGap[];
  /** There were others before this sequence, of topics that are not known. */
  readonly forgottenThrough: number;
}

/**
 * Where in the log events are missing that should have come: for resumes by pattern, which know no topics by name.
 * A gap has a sequence number of its own, so that a cursor stands either before it or after it.
 */
export class GapBook {
  readonly #gaps: NotedGap[] = [];
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

  memory(): GapMemory {
    return { gaps: [...this.#gaps], forgottenThrough: this.#forgottenThrough };
  }

  /** Takes over what the life before knew. */
  restore({ gaps, forgottenThrough }: GapMemory): void {
    this.#forgottenThrough = forgottenThrough;
    this.#newest = forgottenThrough;
    for (const { sequence, topics } of gaps) this.note(sequence, topics);
  }

  /** Events before this sequence are missing, and nobody knows of which topics. */
  distrustThrough(sequence: number): void {
    this.#gaps.length = 0;
    this.#forgottenThrough = sequence;
    this.#newest = sequence;
  }
}
