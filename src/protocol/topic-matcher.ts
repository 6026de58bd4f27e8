import { CodedError } from "#base/errors.ts";
import { TOPIC_LENGTH_MAX, topicFault } from "./topic.ts";
import { compileUriTemplate } from "./uri-template.ts";
import { compileUrlPattern } from "./url-pattern.ts";

/** What selects topics: one topic, the topics that a URL pattern matches, or every topic (Mercure, "Matcher Types"). */
export interface TopicMatcher {
  readonly type: MatcherType;
  /** As it was written: the topic, the URL pattern, or `*`. */
  readonly pattern: string;
  /** Unique for type and pattern; two matchers with equal keys match the same topics. */
  readonly key: string;
  /** Whether a match takes much longer than comparing texts, though time linear in the topic's length it always is. */
  readonly isCostly?: boolean;
  /** Takes time linear in the topic's length, whatever the pattern. */
  matches(topic: string): boolean;
}

export const MatcherType = {
  any: "any",
  exact: "exact",
  urlpattern: "urlpattern",
  /** Of the older draft only. */
  uritemplate: "uritemplate",
} as const;
export type MatcherType = (typeof MatcherType)[keyof typeof MatcherType];

/** Longest URL pattern or URI template, in UTF-16 code units. With the wildcards' bound it caps the cost of a match. */
export const URL_PATTERN_LENGTH_MAX = 512;

/** Most wildcards and named groups in one URL pattern, or expressions in one URI template. */
export const URL_PATTERN_WILDCARDS_MAX = 16;

/** Wildcards, named groups or expressions from which a pattern counts as costly to match. */
const COSTLY_WILDCARDS = 3;

export type MatcherErrorCode = "bad_matcher" | "matcher_too_long" | "unsafe_matcher";

export class MatcherError extends CodedError<MatcherErrorCode> {}

/** Compiled matchers that are kept for the next one who asks; the least recently asked for goes first. */
const COMPILED_MAX = 4096;
const compiled = new Map<string, TopicMatcher>();

/**
 * The matcher for `pattern`. `*` stands for every topic whatever the type says (Mercure, "Matcher Types"). Equal
 * arguments mostly get the same object, so that thousands of clients share one.
 *
 * @throws MatcherError for a pattern that is malformed, too long, or could be costly to match
 */
export function compileMatcher(type: MatcherType, pattern: string): TopicMatcher {
  if (type === "any" || pattern === "*") return ANY;
  const key = `${type}:${pattern}`;
  let matcher = compiled.get(key);
  if (matcher === undefined) {
    matcher = COMPILERS[type](pattern, key);
    if (compiled.size >= COMPILED_MAX) compiled.delete(compiled.keys().next().value as string);
  } else {
    compiled.delete(key);
  }
  compiled.set(key, matcher);
  return matcher;
}

/**
 * The matcher that a selector of the older draft is (draft-dunglas-mercure-07, "Topic Selectors"): `*`, a URI template,
 * or a topic.
 *
 * @throws MatcherError as `compileMatcher`
 */
export function compileSelector07(selector: string): TopicMatcher {
  return compileMatcher(/[{}]/.test(selector) ? "uritemplate" : "exact", selector);
}

/**
 * The matcher that a role's grant means: `*` is every topic; text that holds `*`, `{`, `(`, or `:name` at the start
 * of a path or host segment is a URL pattern; all else is one topic.
 *
 * @throws MatcherError as `compileMatcher`
 */
export function grantMatcher(text: string): TopicMatcher {
  return compileMatcher(URL_PATTERN_SYNTAX.test(text) ? "urlpattern" : "exact", text);
}

/** A colon not after `/`, `.` or `-` is left alone, for the sake of topics such as `urn:isbn:…`. */
const URL_PATTERN_SYNTAX = /[*{(]|(?:^|[/.-]):[\p{ID_Start}$_]/u;

const ANY: TopicMatcher = { type: "any", pattern: "*", key: "any:*", matches: () => true };

function exactMatcher(pattern: string, key: string): TopicMatcher {
  const fault = topicFault(pattern);
  if (fault !== null) {
    throw new MatcherError(pattern.length > TOPIC_LENGTH_MAX ? "matcher_too_long" : "bad_matcher", fault);
  }
  return { type: "exact", pattern, key, matches: (topic) => topic === pattern };
}

function uriTemplateMatcher(pattern: string, key: string): TopicMatcher {
  checkText(pattern, "a URI template");
  const template = compileUriTemplate(pattern);
  if (template === null) throw new MatcherError("bad_matcher", "not a URI template (RFC 6570)");
  if (template.expressions > URL_PATTERN_WILDCARDS_MAX) {
    throw new MatcherError(
      "unsafe_matcher",
      `a URI template can't hold more than ${URL_PATTERN_WILDCARDS_MAX} expressions`,
    );
  }
  const { matches } = template;
  // The template itself names the topic of that name too (draft-dunglas-mercure-07, "Topic Selectors").
  const isCostly = template.expressions >= COSTLY_WILDCARDS;
  return {
    type: "uritemplate",
    pattern,
    key,
    isCostly,
    matches: (topic) => topic === pattern || matches(topic),
  };
}

function checkText(pattern: string, what: string): void {
  if (pattern.length > URL_PATTERN_LENGTH_MAX) {
    throw new MatcherError(
      "matcher_too_long",
      `${what} can't be longer than ${URL_PATTERN_LENGTH_MAX} characters`,
    );
  }
  const fault = topicFault(pattern);
  if (fault !== null) throw new MatcherError("bad_matcher", fault.replace("a topic", what));
}

function urlPatternMatcher(pattern: string, key: string): TopicMatcher {
  checkText(pattern, "a URL pattern");
  const result = compileUrlPattern(pattern);
  switch (result.outcome) {
    case "malformed":
      throw new MatcherError("bad_matcher", "not a well-formed URL pattern (urlpattern.spec.whatwg.org)");
    case "regexp":
      throw new MatcherError(
        "unsafe_matcher",
        "regular expressions in parentheses are not taken in URL patterns; use ':name' or '*'",
      );
    case "compiled":
      if (result.wildcards > URL_PATTERN_WILDCARDS_MAX) {
        throw new MatcherError(
          "unsafe_matcher",
          `a URL pattern can't hold more than ${URL_PATTERN_WILDCARDS_MAX} wildcards and named groups`,
        );
      }
      return {
        type: "urlpattern",
        pattern,
        key,
        isCostly: result.wildcards >= COSTLY_WILDCARDS || result.repeats,
        matches: result.matches,
      };
  }
}

const COMPILERS = {
  exact: exactMatcher,
  urlpattern: urlPatternMatcher,
  uritemplate: uriTemplateMatcher,
} as const;
