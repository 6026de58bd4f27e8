import type { LoadPlan } from "../plan.ts";

/** When events are due, all publishers together, which take them in turn. Pure. */

type Rate = Pick<LoadPlan, "eventsPerSecond" | "burst">;

/** How many are due so long after the beginning; the first are due at once. Infinite where each is due when it finds room. */
export function dueAfter(elapsedUs: number, { eventsPerSecond, burst }: Rate): number {
  if (eventsPerSecond === null) return Number.POSITIVE_INFINITY;
  return (Math.floor((elapsedUs / 1e6) * (eventsPerSecond / burst)) + 1) * burst;
}

/** When an event is due, in microseconds after the beginning. @param overall its number among all, from 0 */
export function dueAtUs(overall: number, eventsPerSecond: number, burst: number): number {
  return (Math.floor(overall / burst) * burst * 1e6) / eventsPerSecond;
}

/** How many of the first `due` events fall to one of the publishers. */
export function shareOf(due: number, publisher: number, publishers: number): number {
  return Math.max(0, Math.ceil((due - publisher) / publishers));
}

/** Events that waited together, as near as it matters: how many, and the first one's number among its publisher's. */
export interface Waiting {
  readonly first: number;
  readonly count: number;
}

/** A backlog in at most `WAITING_MAX` parts, however large it is. @param from the first event of it */
export function* inParts(from: number, to: number): Generator<Waiting> {
  const size = Math.max(1, Math.ceil((to - from) / WAITING_MAX));
  for (let first = from; first < to; first += size) yield { first, count: Math.min(size, to - first) };
}

const WAITING_MAX = 10_000;
