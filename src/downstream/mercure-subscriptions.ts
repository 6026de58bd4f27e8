import type { Identity } from "#auth/identity.ts";
import type { Hub } from "#hub/hub.ts";
import { MERCURE_PATH } from "#protocol/mercure.ts";
import {
  matchTypeOf,
  type SubscriptionDocument,
  type SubscriptionQuery,
  subscriptionDocument,
} from "#protocol/mercure-subscription.ts";
import type { TopicMatcher } from "#protocol/topic-matcher.ts";

/** Most subscriptions in one answer of the API; a longer list is cut (Mercure, "Subscription API"). */
export const DOCUMENTS_MAX = 5000;

/** Who subscribes to what, as far as the draft's active subscriptions go: streams, not WebSocket channels. */
export interface Subscriber {
  readonly id: string;
  readonly identity: Identity;
  readonly matchers: readonly TopicMatcher[];
}

/**
 * The streams' subscriptions, and the events that tell of them (Mercure, "Active Subscriptions"). The events are
 * published only while somebody watches, who asked for the hub's own topics and may have them: else ten thousand
 * clients that come back would drive everybody's events out of the log.
 */
export class ActiveSubscriptions {
  readonly #hub: Hub;
  /** With what each of them watches. */
  readonly #subscribers = new Map<Subscriber, readonly TopicMatcher[]>();
  /** Matchers of those who watch, and how many use each. */
  readonly #watching = new Map<TopicMatcher, number>();

  constructor(hub: Hub) {
    this.#hub = hub;
  }

  get size(): number {
    return this.#subscribers.size;
  }

  add(subscriber: Subscriber): void {
    this.#watch(subscriber);
    this.#tell(subscriber, true);
  }

  /** Idempotent. */
  remove(subscriber: Subscriber): void {
    if (!this.#subscribers.has(subscriber)) return;
    this.#unwatch(subscriber);
    this.#subscribers.delete(subscriber);
    this.#tell(subscriber, false);
  }

  /** What its identity may do has changed. */
  renew(subscriber: Subscriber): void {
    if (!this.#subscribers.has(subscriber)) return;
    this.#unwatch(subscriber);
    this.#watch(subscriber);
  }

  /** Those that are asked for, up to `DOCUMENTS_MAX`. */
  find(query: SubscriptionQuery): SubscriptionDocument[] {
    const found: SubscriptionDocument[] = [];
    for (const subscriber of this.#subscribers.keys()) {
      if (query.subscriber !== null && query.subscriber !== nameOf(subscriber)) continue;
      for (const matcher of subscriber.matchers) {
        if (query.match !== null && query.match !== matcher.pattern) continue;
        if (query.matchType !== null && query.matchType !== matchTypeOf(matcher)) continue;
        if (found.length === DOCUMENTS_MAX) return found;
        found.push(documentOf(subscriber, matcher, true));
      }
    }
    return found;
  }

  #watch(subscriber: Subscriber): void {
    const watched = watchedBy(subscriber);
    this.#subscribers.set(subscriber, watched);
    for (const matcher of watched) this.#watching.set(matcher, (this.#watching.get(matcher) ?? 0) + 1);
  }

  #unwatch(subscriber: Subscriber): void {
    for (const matcher of this.#subscribers.get(subscriber) ?? NONE) {
      const left = (this.#watching.get(matcher) ?? 0) - 1;
      if (left > 0) this.#watching.set(matcher, left);
      else this.#watching.delete(matcher);
    }
  }

  #tell(subscriber: Subscriber, active: boolean): void {
    if (this.#watching.size === 0) return;
    for (const matcher of subscriber.matchers) {
      const document = documentOf(subscriber, matcher, active);
      if (!this.#isWatched(document.id)) continue;
      this.#hub.publish({
        topics: [document.id],
        data: JSON.stringify(document),
        type: "mercure",
        private: true,
      });
    }
  }

  #isWatched(topic: string): boolean {
    for (const matcher of this.#watching.keys()) {
      if (matcher.matches(topic)) return true;
    }
    return false;
  }
}

const NONE: readonly TopicMatcher[] = [];

/** Matchers that ask for the hub's own topics by name or for everything, of one who was granted any of them. */
function watchedBy({ identity, matchers }: Subscriber): readonly TopicMatcher[] {
  if (identity.kind === "anonymous" || !identity.subscribe.matchers.some(isAboutHub)) return NONE;
  const watched = matchers.filter(isAboutHub);
  return watched.length === 0 ? NONE : watched;
}

function isAboutHub({ pattern }: TopicMatcher): boolean {
  return pattern === "*" || pattern.includes(MERCURE_PATH);
}

/** Not the user's name: other watchers see it. */
function nameOf({ id }: Subscriber): string {
  return `urn:uuid:${id}`;
}

function documentOf(subscriber: Subscriber, matcher: TopicMatcher, active: boolean): SubscriptionDocument {
  return subscriptionDocument(matcher, nameOf(subscriber), active, payloadOf(subscriber.identity, matcher));
}

/** The first payload whose topics match the matcher's own text, as if it were a topic (Mercure, "Payloads"). */
function payloadOf(identity: Identity, { pattern }: TopicMatcher): object | null {
  const fitting = identity.payloads?.find(
    ({ topics }) => topics.covers(pattern) || topics.matchers.some((granted) => granted.pattern === pattern),
  );
  return fitting?.payload ?? null;
}
