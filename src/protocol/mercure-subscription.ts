import { MERCURE_PATH } from "./mercure.ts";
import type { TopicMatcher } from "./topic-matcher.ts";

/** Where the subscriptions that are active can be seen, and below it each of them (Mercure, "Active Subscriptions"). */
export const SUBSCRIPTIONS_PATH = `${MERCURE_PATH}/subscriptions`;

/** One subscription of one subscriber, as events and the API tell it. */
export interface SubscriptionDocument {
  readonly id: string;
  readonly type: "subscription";
  readonly match_type: string;
  readonly match: string;
  readonly subscriber: string;
  readonly active: boolean;
  readonly payload?: object;
}

/** What is asked for: null stands for all. */
export interface SubscriptionQuery {
  readonly matchType: string | null;
  readonly match: string | null;
  readonly subscriber: string | null;
}

export function subscriptionDocument(
  matcher: TopicMatcher,
  subscriber: string,
  active: boolean,
  payload: object | null,
): SubscriptionDocument {
  const matchType = matchTypeOf(matcher);
  const { pattern: match } = matcher;
  const id = `${SUBSCRIPTIONS_PATH}/${[matchType, match, subscriber].map(encoded).join("/")}`;
  const document = { id, type: "subscription", match_type: matchType, match, subscriber, active } as const;
  return payload === null ? document : { ...document, payload };
}

/** `*` is the same of every type; the default one is named. */
export function matchTypeOf({ type }: TopicMatcher): string {
  return type === "any" ? "exact" : type;
}

/** What a path at or below `SUBSCRIPTIONS_PATH` asks for; null for one that is none of the API's. */
export function parseSubscriptionsPath(path: string): SubscriptionQuery | null {
  if (path === SUBSCRIPTIONS_PATH) return { matchType: null, match: null, subscriber: null };
  if (!path.startsWith(`${SUBSCRIPTIONS_PATH}/`)) return null;
  const segments = path.slice(SUBSCRIPTIONS_PATH.length + 1).split("/");
  if (segments.length !== 2 && segments.length !== 3) return null;
  try {
    const [matchType, match, subscriber] = segments.map(decodeURIComponent) as [string, string, string?];
    return { matchType, match, subscriber: subscriber ?? null };
  } catch {
    return null;
  }
}

/** RFC 6570, section 3.2.2: all but unreserved characters. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
