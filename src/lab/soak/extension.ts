import type { Phase } from "./plan.ts";

/** What a run still lacks when its time is over. */
export const LACKS = {
  looks: "enough looks at one life of the gateway to judge its growth",
  connections: "connections between two heap snapshots",
  calm: "a calm in which to take a heap snapshot",
} as const;
export type Lack = keyof typeof LACKS;

/** How far a run that lacks something goes on past its time, in milliseconds. */
export const EXTENSION_MS_MAX = 5 * 60_000;
const VISITS_MS = 8000;
const CALM_MS = 4000;

/**
 * The phase by which a run goes on: what it lacks comes with visitors, or in calm. Links meet no fault meanwhile: between two
 * snapshots nothing but connections is to come and go, while what the dashboard remembers of links may fill. Pure.
 */
export function extraPhase(lack: Lack, atMs: number): Phase {
  return lack === "calm"
    ? { kind: "calm", fromMs: atMs, toMs: atMs + CALM_MS }
    : { kind: "visits", fromMs: atMs, toMs: atMs + VISITS_MS };
}
