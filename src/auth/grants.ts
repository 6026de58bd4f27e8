import { grantMatcher, type TopicMatcher } from "#protocol/topic-matcher.ts";
import type { Grants } from "./identity.ts";

/** Answers remembered for grants that many identities share, such as a role's. */
const SHARED_ANSWERS_MAX = 4096;
/** Answers remembered for grants that one token brought: there may be as many of them as connections. */
export const TOKEN_ANSWERS_MAX = 64;

/**
 * @param answersMax how many answers of patterns are remembered; default `SHARED_ANSWERS_MAX`
 */
export function grantsOf(matchers: readonly TopicMatcher[], answersMax = SHARED_ANSWERS_MAX): Grants {
  return matchers.length === 0 ? NO_GRANTS : new MatcherGrants(matchers, answersMax);
}

/** Grants as written in the configuration's roles. Throws `MatcherError` for a bad pattern. */
export function grantsFromTexts(texts: readonly string[]): Grants {
  return grantsOf(texts.map((text) => grantMatcher(text)));
}

export const NO_GRANTS: Grants = { matchers: [], covers: () => false };

class MatcherGrants implements Grants {
  readonly matchers: readonly TopicMatcher[];
  readonly #any: boolean;
  readonly #exact = new Set<string>();
  readonly #patterns: TopicMatcher[] = [];
  readonly #answersMax: number;
  #answers: Map<string, boolean> | null = null;

  constructor(matchers: readonly TopicMatcher[], answersMax: number) {
    this.matchers = matchers;
    this.#answersMax = answersMax;
    this.#any = matchers.some((matcher) => matcher.type === "any");
    for (const matcher of matchers) {
      if (matcher.type === "exact") this.#exact.add(matcher.pattern);
      else if (matcher.type !== "any") this.#patterns.push(matcher);
    }
  }

  covers(topic: string): boolean {
    if (this.#any || this.#exact.has(topic)) return true;
    if (this.#patterns.length === 0) return false;
    this.#answers ??= new Map();
    const known = this.#answers.get(topic);
    if (known !== undefined) return known;
    const answer = this.#patterns.some((pattern) => pattern.matches(topic));
    // Emptied rather than evicted one by one: a hit then costs no bookkeeping, and topics repeat.
    if (this.#answers.size >= this.#answersMax) this.#answers.clear();
    this.#answers.set(topic, answer);
    return answer;
  }
}
