import { HEAP, hourlySuspicions, type Look, type Suspicion, suspicions } from "../leaks/suspicion.ts";
import { LIFE_MS_MIN, lengthMs, lookOf, type Sample } from "./sample.ts";

/**
 * What grew in a life of the gateway that has warmed up: by the connection; and by the hour, where it was long enough. What
 * grew by the connection is not told again. Pure.
 */
export function growthIn(life: readonly Sample[]): Suspicion[] {
  const found = suspicions(life.map(lookOf));
  if (lengthMs(life) < LIFE_MS_MIN) return found;
  const told = new Set(found.map(({ what }) => what));
  return [...found, ...hourlySuspicions(life.map(withHeap)).filter(({ what }) => !told.has(what))];
}

/** In a run of a minute the heap alone fills and settles by more than leaks do, so that it is looked at over time only. */
function withHeap(sample: Sample): Look {
  const look = lookOf(sample);
  return { ...look, amounts: { ...look.amounts, [HEAP]: sample.inside.heapUsed } };
}
