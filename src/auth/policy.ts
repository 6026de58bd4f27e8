import { isReservedTopic } from "#protocol/topic.ts";
import type { TopicMatcher } from "#protocol/topic-matcher.ts";
import type { Grants, Identity } from "./identity.ts";

/** What everybody may have, signed in or not. */
export interface OpenAccess {
  /** The subscribe grants of `auth.anonymous`. */
  readonly anonymous: Grants;
  /** Whether any feed has `access: public`. */
  readonly hasPublicTopics: boolean;
  /** Whether the topic belongs to a feed with `access: public`. */
  isPublicTopic(topic: string): boolean;
}

/** What policy needs to know of an event; the hub's events have it. */
export interface GuardedEvent {
  readonly topics: readonly string[];
  readonly private: boolean;
}

/**
 * Whether a subscription may be made. An exact topic needs a grant or a public feed. A pattern needs only that there
 * is something it could ever bring, since each of its events is then checked by `mayReceive`. The gateway's own topics
 * are for administrators, whatever is granted.
 */
export function maySubscribe(identity: Identity, selector: TopicMatcher, open: OpenAccess): boolean {
  if (selector.type === "exact") {
    return isReservedTopic(selector.pattern) ? identity.admin : mayRead(identity, selector.pattern, open);
  }
  return identity.subscribe.matchers.length > 0 || open.anonymous.matchers.length > 0 || open.hasPublicTopics;
}

/**
 * Whether an event that `selector` brought may go to the identity, live or replayed. A private event goes only to
 * identities that showed a token and whose own grants cover one of its topics (Mercure draft-08, "Subscribers").
 * Another event that came by an exact selector was permitted by `maySubscribe`; for patterns one topic must be covered.
 */
export function mayReceive(
  identity: Identity,
  event: GuardedEvent,
  selector: TopicMatcher,
  open: OpenAccess,
): boolean {
  if (event.private) {
    return identity.kind !== "anonymous" && coversAny(identity.subscribe, event.topics);
  }
  if (selector.type === "exact") return true;
  for (const topic of event.topics) {
    // They come by their names only: a pattern for everything is not meant for them.
    if (isReservedTopic(topic)) return false;
    if (mayRead(identity, topic, open)) return true;
  }
  return false;
}

/** Whether an update of these topics may be published: each of them must be granted, and someone must answer for it. */
export function mayPublish(identity: Identity, topics: readonly string[]): boolean {
  if (identity.kind === "anonymous" || topics.length === 0) return false;
  return topics.every((topic) => !isReservedTopic(topic) && identity.publish.covers(topic));
}

function mayRead(identity: Identity, topic: string, open: OpenAccess): boolean {
  return identity.subscribe.covers(topic) || open.anonymous.covers(topic) || open.isPublicTopic(topic);
}

function coversAny(grants: Grants, topics: readonly string[]): boolean {
  for (const topic of topics) {
    if (grants.covers(topic)) return true;
  }
  return false;
}
