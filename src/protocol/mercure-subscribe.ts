import { EARLIEST, MercureError } from "./mercure.ts";
import { parseForm, utf8FromLatin1 } from "./mercure-form.ts";
import {
  compileMatcher,
  compileSelector07,
  MatcherError,
  type MatcherType,
  type TopicMatcher,
} from "./topic-matcher.ts";

/** Longest last event id that is looked for; no event's id is longer. */
export const EVENT_ID_LENGTH_MAX = 1024;

/** What a subscriber asks for (Mercure, "Subscription" and "Reconciliation"). */
export interface SubscribeRequest {
  /** At least one, none twice. `*` alone is of type `any`. */
  readonly matchers: readonly TopicMatcher[];
  /** The id of the last event that was seen, or `earliest`; null: nothing to resume. */
  readonly lastEventId: string | null;
  /** Heartbeats come as named events too, since a browser's scripts see no comments. */
  readonly heartbeatEvents: boolean;
}

/** Most URL patterns and URI templates on one connection: each is tried on every topic. */
export const PATTERNS_PER_CONNECTION_MAX = 50;
/** Those of them that are costly to match: all connections together have a bound of their own, which one should not use up. */
export const COSTLY_PER_CONNECTION_MAX = 8;

export interface SubscribeBounds {
  readonly matchersMax: number;
  /** Whether the older draft's parameters are taken too: `topic`, `lastEventID`. Default false. */
  readonly mercure07?: boolean;
}

/**
 * @param query the URL's query, without `?`, one character a byte
 * @param lastEventIdField the field `Last-Event-ID`; it wins over the parameter, since a browser that comes back sends
 *   both and only the field has moved on
 * @throws MercureError
 */
export function parseSubscribeRequest(
  query: string,
  lastEventIdField: string | undefined,
  bounds: SubscribeBounds,
): SubscribeRequest {
  const matchers = new Map<string, TopicMatcher>();
  let lastEventId: string | null = null;
  let heartbeatEvents = false;
  let matcherCount = 0;
  let patternCount = 0;
  let costlyCount = 0;
  for (const [name, value] of parseForm(query)) {
    const isSelector07 = bounds.mercure07 === true && name === "topic";
    if (isSelector07 || MATCH_NAMESPACE.test(name)) {
      if (++matcherCount > bounds.matchersMax) {
        throw new MercureError(
          "too_many_matchers",
          `more than ${bounds.matchersMax} matchers on one connection; open several, or use URL patterns`,
        );
      }
      const matcher = isSelector07 ? compiled(name, () => compileSelector07(value)) : matcherOf(name, value);
      if (
        matcher.type !== "exact" &&
        matcher.type !== "any" &&
        ++patternCount > PATTERNS_PER_CONNECTION_MAX
      ) {
        throw new MercureError(
          "too_many_matchers",
          `more than ${PATTERNS_PER_CONNECTION_MAX} patterns on one connection; open several, or use wider ones`,
        );
      }
      if (matcher.isCostly === true && ++costlyCount > COSTLY_PER_CONNECTION_MAX) {
        throw new MercureError(
          "too_many_matchers",
          `more than ${COSTLY_PER_CONNECTION_MAX} patterns of three or more wildcards on one connection; use simpler ones`,
        );
      }
      matchers.set(matcher.key, matcher);
    } else if (name === "last_event_id" || (bounds.mercure07 === true && LAST_EVENT_ID_07.has(name))) {
      lastEventId ??= value;
    } else if (name === "heartbeat") {
      if (value !== "event") {
        throw new MercureError(
          "bad_heartbeat",
          "'heartbeat' can only be 'event'; leave it out for comments alone",
        );
      }
      heartbeatEvents = true;
    }
  }
  if (matchers.size === 0) {
    throw new MercureError(
      "no_matcher",
      "say what to subscribe to, for example ?match=/quotes/AAPL or ?match_urlpattern=/quotes/*",
    );
  }
  const field = lastEventIdField === undefined || lastEventIdField === "" ? null : lastEventIdField;
  return {
    matchers: [...matchers.values()],
    lastEventId: eventIdOf(field === null ? lastEventId : (utf8FromLatin1(field) ?? field)),
    heartbeatEvents,
  };
}

/** How the older draft's clients and hubs spelt it. */
const LAST_EVENT_ID_07: ReadonlySet<string> = new Set(["lastEventID", "Last-Event-ID"]);

/** The draft reserves the prefix in any case, so that a misspelt matcher fails loudly. */
const MATCH_NAMESPACE = /^match/i;

const MATCHER_TYPES: Readonly<Record<string, MatcherType>> = {
  match: "exact",
  match_exact: "exact",
  match_urlpattern: "urlpattern",
};

function matcherOf(name: string, value: string): TopicMatcher {
  const type = Object.hasOwn(MATCHER_TYPES, name) ? MATCHER_TYPES[name] : undefined;
  if (type === undefined) {
    throw new MercureError(
      "unknown_matcher_type",
      "parameters that begin with 'match' are reserved; use match, match_exact or match_urlpattern",
    );
  }
  return compiled(name, () => compileMatcher(type, value));
}

function compiled(name: string, compile: () => TopicMatcher): TopicMatcher {
  try {
    return compile();
  } catch (error) {
    if (error instanceof MatcherError) throw new MercureError("bad_matcher", `${name}: ${error.message}`);
    throw error;
  }
}

/** An id that no event can have is not a fault: a browser would give up for ever. It is an id that is not found. */
function eventIdOf(id: string | null): string | null {
  if (id === null || id === "") return null;
  return id === EARLIEST ? EARLIEST : id.slice(0, EVENT_ID_LENGTH_MAX + 1);
}
