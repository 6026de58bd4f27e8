import type { HubEvent } from "./hub-event.ts";

/** JSON as `JSON.parse` answers it. */
export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** What a topic remembers for a new subscriber. The hub owns it; the topic only points to it. */
export interface TopicState {
  /** The event that brought the state to where it is; its sequence and time are the state's. */
  latest: HubEvent;
  /** The merged value, for `merge`; undefined for `last`. */
  merged: Json | undefined;
  /** The state as an event, made when first asked for after a change. */
  event: HubEvent | null;
  /** What it costs, near enough: an upper bound between two measurements of the merged value. */
  bytes: number;
  /** What it cost when the merged value was last measured. */
  measuredBytes: number;
}

/** JSON Merge Patch (RFC 7396, section 2). Changes and answers `target` where it can. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const merged: { [name: string]: Json } = isObject(target) ? target : {};
  for (const name of Object.keys(patch)) {
    const value = patch[name] as Json;
    if (value === null) delete merged[name];
    else if (name === "__proto__")
      Object.defineProperty(merged, name, { value, enumerable: true, configurable: true, writable: true });
    else merged[name] = mergePatch(Object.hasOwn(merged, name) ? merged[name] : undefined, value);
  }
  return merged;
}

/** Deepest nesting of data that is merged. */
export const NESTING_MAX = 100;

/** Whether a value is nested so deeply that walking it by recursion could exhaust the stack. */
export function isDeeperThan(value: Json, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  return Object.values(value).some((child) => isDeeperThan(child, levels - 1));
}

function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
