import type { LoadPlan } from "../plan.ts";

/** Which topics are followed and published, as numbers in a ring. Pure; fleets and publishers agree on it. */

export function topicName(prefix: string, topic: number): string {
  return `${prefix}${topic}`;
}

/** The first of a subscriber's topics; the others follow it. */
export function firstTopicOf(subscriber: number, { topics, subscriptions }: LoadPlan): number {
  return (subscriber * subscriptions) % topics;
}

/** The topic and number of a publisher's `index`-th event: it goes round the topics. */
export function eventOf(
  publisher: number,
  index: number,
  topics: number,
): { topic: number; sequence: number } {
  return { topic: (index + publisher) % topics, sequence: Math.floor(index / topics) + 1 };
}

/** The last number of a topic when a publisher has published so many events; 0: none. */
export function lastSequence(publisher: number, topic: number, published: number, topics: number): number {
  const first = (((topic - publisher) % topics) + topics) % topics;
  return published <= first ? 0 : Math.floor((published - 1 - first) / topics) + 1;
}

/** Whether a subscriber is one of the slow ones, which are spread evenly. */
export function isSlow(subscriber: number, { sse, websocket, slow }: LoadPlan): boolean {
  const all = sse + websocket;
  return Math.floor(((subscriber + 1) * slow) / all) > Math.floor((subscriber * slow) / all);
}
