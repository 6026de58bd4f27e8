import { compileMatcher, MatcherError, type TopicMatcher } from "#protocol/topic-matcher.ts";
import { AuthError } from "./auth-error.ts";
import { grantsOf, TOKEN_ANSWERS_MAX } from "./grants.ts";
import type { Grants, SubscriptionPayload } from "./identity.ts";

/** The type of details that are ours (Mercure draft-08, "Authorization Details"), compared byte by byte. */
const MERCURE_DETAIL_TYPE = "https://mercure.rocks/authorization-detail";

/** Most details in one token, of any type, and most topics in one detail. */
export const DETAILS_MAX = 64;
export const DETAIL_TOPICS_MAX = 256;

export interface DetailGrants {
  readonly subscribe: Grants;
  readonly publish: Grants;
  readonly payloads: readonly SubscriptionPayload[];
}

/**
 * What the claim `authorization_details` (RFC 9396) grants. Absent, it grants nothing; details of other types and
 * unknown actions are passed over. One malformed detail rejects the whole token, since accepting a part would
 * silently change what the issuer meant.
 *
 * @throws AuthError `invalid_token`
 */
export function grantsOfDetails(claim: unknown): DetailGrants {
  const subscribe: TopicMatcher[] = [];
  const publish: TopicMatcher[] = [];
  const payloads: SubscriptionPayload[] = [];
  if (claim !== undefined) {
    if (!Array.isArray(claim)) throw malformed("is not an array");
    if (claim.length > DETAILS_MAX) throw malformed(`has more than ${DETAILS_MAX} entries`);
  }
  for (const detail of claim ?? []) {
    if (!isObject(detail) || typeof detail.type !== "string") throw malformed("has an entry without a type");
    if (detail.type !== MERCURE_DETAIL_TYPE) continue;
    const actions = actionsOf(detail.actions);
    const matchers = matchersOf(detail.topics);
    if (actions.has("publish")) publish.push(...matchers);
    if (detail.payload !== undefined && !isObject(detail.payload))
      throw malformed("has a payload that is no object");
    if (!actions.has("subscribe")) continue;
    subscribe.push(...matchers);
    if (detail.payload !== undefined) {
      payloads.push({ topics: grantsOf(matchers, TOKEN_ANSWERS_MAX), payload: detail.payload });
    }
  }
  return {
    subscribe: grantsOf(subscribe, TOKEN_ANSWERS_MAX),
    publish: grantsOf(publish, TOKEN_ANSWERS_MAX),
    payloads,
  };
}

function actionsOf(actions: unknown): ReadonlySet<string> {
  if (!Array.isArray(actions) || actions.length === 0 || actions.length > DETAILS_MAX) {
    throw malformed("has an entry whose actions are not a short list");
  }
  if (!actions.every((action) => typeof action === "string"))
    throw malformed("has an action that is no string");
  return new Set<string>(actions);
}

function matchersOf(topics: unknown): TopicMatcher[] {
  if (!Array.isArray(topics) || topics.length === 0) throw malformed("has an entry without topics");
  if (topics.length > DETAIL_TOPICS_MAX)
    throw malformed(`has an entry with more than ${DETAIL_TOPICS_MAX} topics`);
  return topics.map(matcherOf);
}

function matcherOf(topic: unknown): TopicMatcher {
  if (!isObject(topic) || typeof topic.match !== "string") throw malformed("has a topic without match");
  const type = topic.match_type ?? "exact";
  // `*` is known before the type is looked at (Mercure draft-08, "Topic Matcher List").
  if (topic.match === "*" && typeof type === "string") return compileMatcher("any", "*");
  if (type !== "exact" && type !== "urlpattern")
    throw malformed("has a match_type that is not exact or urlpattern");
  try {
    return compileMatcher(type, topic.match);
  } catch (error) {
    if (error instanceof MatcherError)
      throw malformed(`has a topic that is refused: ${error.message}`, error);
    throw error;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(fault: string, cause?: unknown): AuthError {
  return new AuthError("invalid_token", `the token's authorization_details ${fault}`, { cause });
}
