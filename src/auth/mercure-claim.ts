import { compileSelector07, MatcherError, type TopicMatcher } from "#protocol/topic-matcher.ts";
import { AuthError } from "./auth-error.ts";
import { DETAIL_TOPICS_MAX, type DetailGrants } from "./authorization-details.ts";
import { grantsOf, TOKEN_ANSWERS_MAX } from "./grants.ts";

/**
 * What the claim `mercure` of the older draft grants (draft-dunglas-mercure-07, "Authorization"): lists of topics, URI
 * templates or `*`, and one payload for every subscription. One malformed entry rejects the token.
 *
 * @throws AuthError `invalid_token`
 */
export function grantsOfMercureClaim(claim: unknown): DetailGrants {
  if (!isObject(claim)) throw malformed("is no object");
  const [subscribe, publish] = [matchersOf(claim.subscribe), matchersOf(claim.publish)];
  const { payload } = claim;
  if (payload !== undefined && !isObject(payload)) throw malformed("has a payload that is no object");
  const everything = grantsOf([compileSelector07("*")]);
  return {
    subscribe: grantsOf(subscribe, TOKEN_ANSWERS_MAX),
    publish: grantsOf(publish, TOKEN_ANSWERS_MAX),
    payloads: payload === undefined ? [] : [{ topics: everything, payload }],
  };
}

function matchersOf(selectors: unknown): TopicMatcher[] {
  if (selectors === undefined || selectors === null) return [];
  if (!Array.isArray(selectors)) throw malformed("has topics that are no list");
  if (selectors.length > DETAIL_TOPICS_MAX) throw malformed(`has more than ${DETAIL_TOPICS_MAX} topics`);
  return selectors.map((selector) => {
    if (typeof selector !== "string") throw malformed("has a topic that is no text");
    try {
      return compileSelector07(selector);
    } catch (error) {
      if (error instanceof MatcherError)
        throw malformed(`has a topic that is refused: ${error.message}`, error);
      throw error;
    }
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function malformed(fault: string, cause?: unknown): AuthError {
  return new AuthError("invalid_token", `the token's claim mercure ${fault}`, { cause });
}
