import { Chance } from "./chance.ts";
import type { FeedMood } from "./feed-origin.ts";
import type { Scenario } from "./scenario.ts";

/** Something that goes wrong at a time of a run. */
export interface Fault {
  readonly atMs: number;
  readonly what: FaultKind;
}

export type FaultKind =
  /** A share of a feed's streams is over, all at once. */
  | { readonly kind: "cut"; readonly feed: number; readonly share: number; readonly how: "reset" | "ended" }
  /** All links of a feed are reset in one instant. */
  | { readonly kind: "storm"; readonly feed: number }
  | { readonly kind: "mood"; readonly feed: number; readonly mood: FeedMood; readonly forMs: number }
  /** The feed rejects requests for a key, and cuts the streams that it has. */
  | { readonly kind: "reject"; readonly feed: number; readonly key: number; readonly forMs: number }
  | { readonly kind: "flood"; readonly feed: number; readonly events: number; readonly bytes: number }
  /** Clients' connections, a share of them. */
  | { readonly kind: "reset"; readonly share: number }
  | { readonly kind: "partition"; readonly share: number; readonly forMs: number }
  | { readonly kind: "vanish"; readonly client: number; readonly forMs: number }
  | { readonly kind: "stall"; readonly client: number; readonly forMs: number }
  /** A client stops reading, and there are many events of something that it is subscribed to. */
  | {
      readonly kind: "slow flood";
      readonly client: number;
      readonly events: number;
      readonly forMs: number;
    }
  /** A client begins anew, where it is an SSE one; a WebSocket one changes what it subscribes to. */
  | { readonly kind: "turn"; readonly client: number }
  | { readonly kind: "chat"; readonly client: number; readonly topic: "/chat/a" | "/chat/b" }
  /** The gateway's process. */
  | { readonly kind: "kill"; readonly forMs: number }
  | { readonly kind: "restart"; readonly forMs: number }
  | { readonly kind: "reload"; readonly feed: number; readonly lingerMs: number }
  | { readonly kind: "squeeze"; readonly share: number; readonly forMs: number }
  | { readonly kind: "store fails"; readonly forMs: number };

export const DAY_MS = 86_400_000;

/** What goes wrong in a run, in order of time. A shorter run has the beginning of a longer one's. */
export function planOf(seed: number, days: number, scenario: Scenario): Fault[] {
  const faults: Fault[] = [];
  for (let day = 0; day < days; day++) faults.push(...faultsOfDay(seed, day, scenario));
  return faults.filter(({ atMs }) => atMs < days * DAY_MS);
}

/** Storms with calm between: a few hours of a day are bad, and each of them is bad in its own way. */
function faultsOfDay(seed: number, day: number, scenario: Scenario): Fault[] {
  const chance = new Chance(seed, "faults", day);
  const faults: Fault[] = [];
  const storms = chance.whole(3, 7);
  for (let storm = 0; storm < storms; storm++) {
    const startMs = (day + chance.random()) * DAY_MS;
    const lengthMs = chance.between(30_000, 1_200_000);
    const count = chance.whole(2, 14);
    for (let at = 0; at < count; at++) {
      faults.push({ atMs: startMs + chance.random() * lengthMs, what: faultOf(chance, scenario) });
    }
  }
  for (let turns = chance.whole(20, 60); turns > 0; turns--) {
    faults.push({ atMs: (day + chance.random()) * DAY_MS, what: everydayOf(chance) });
  }
  return faults.sort((one, other) => one.atMs - other.atMs);
}

/** What is no fault, but life. Numbers of clients and feeds are taken modulo how many there are. */
function everydayOf(chance: Chance): FaultKind {
  const client = chance.whole(0, 99);
  return chance.happens(0.7)
    ? { kind: "turn", client }
    : { kind: "chat", client, topic: chance.happens(0.5) ? "/chat/a" : "/chat/b" };
}

function faultOf(chance: Chance, { drainMs }: Scenario): FaultKind {
  const feed = chance.whole(0, 99);
  const client = chance.whole(0, 99);
  const forMs = chance.between(500, 240_000);
  // Each draws what it needs, whatever the others do.
  const make: Readonly<Record<FaultKind["kind"], () => FaultKind>> = {
    cut: () => ({
      kind: "cut",
      feed,
      share: chance.pick([0.01, 0.5, 1]),
      how: chance.pick(["reset", "ended"] as const),
    }),
    storm: () => ({ kind: "storm", feed }),
    mood: () => ({ kind: "mood", feed, mood: moodOf(chance), forMs }),
    reject: () => ({ kind: "reject", feed, key: chance.whole(0, 99), forMs }),
    flood: () => ({ kind: "flood", feed, events: chance.whole(20, 120), bytes: chance.whole(10, 2000) }),
    reset: () => ({ kind: "reset", share: chance.pick([0.1, 0.5, 1]) }),
    partition: () => ({ kind: "partition", share: chance.pick([0.2, 1]), forMs: forMs / 2 }),
    vanish: () => ({ kind: "vanish", client, forMs }),
    stall: () => ({ kind: "stall", client, forMs: chance.between(1000, 120_000) }),
    "slow flood": () => ({
      kind: "slow flood",
      client,
      events: chance.whole(40, 700),
      forMs: chance.between(1000, 30_000),
    }),
    turn: () => ({ kind: "turn", client }),
    chat: () => ({ kind: "chat", client, topic: "/chat/a" }),
    kill: () => ({ kind: "kill", forMs: chance.between(200, 30_000) }),
    restart: () => ({ kind: "restart", forMs: drainMs + chance.between(200, 10_000) }),
    reload: () => ({ kind: "reload", feed, lingerMs: chance.whole(1, 60) * 1000 }),
    squeeze: () => ({ kind: "squeeze", share: chance.between(0.75, 1.02), forMs }),
    "store fails": () => ({ kind: "store fails", forMs }),
  };
  return make[chance.pick(OFTEN)]();
}

const OFTEN: readonly FaultKind["kind"][] = [
  ...([
    "cut",
    "cut",
    "cut",
    "storm",
    "storm",
    "mood",
    "mood",
    "mood",
    "reject",
    "reject",
    "flood",
    "reset",
    "reset",
    "partition",
  ] as const),
  ...(["vanish", "vanish", "stall", "stall", "slow flood", "slow flood", "turn", "turn", "chat"] as const),
  ...(["kill", "restart", "reload", "squeeze", "store fails"] as const),
];

function moodOf(chance: Chance): FeedMood {
  switch (chance.whole(0, 5)) {
    case 0:
      return { kind: "down" };
    case 1:
      return { kind: "mute" };
    case 2:
      return { kind: "moved" };
    case 3:
      return { kind: "status", status: chance.pick([401, 403, 404]), retryAfterS: null };
    default:
      return {
        kind: "status",
        status: chance.pick([429, 500, 503]),
        retryAfterS: chance.pick([null, 1, 20]),
      };
  }
}

/** A fault in words, for people. */
export function describe({ atMs, what }: Fault): string {
  const { kind, ...more } = what;
  return `${(atMs / 3_600_000).toFixed(2)} h: ${kind} ${JSON.stringify(more)}`;
}
