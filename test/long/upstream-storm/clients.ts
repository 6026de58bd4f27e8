/**
 * A process of subscribers, told over IPC what to do by `fleet.ts`. They are apart from the gateway, since their
 * work must not slow it down, and both sides of so many sockets do not fit into one process.
 */
import { seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { SseSubscriber } from "./sse-subscriber.ts";
import type { Door, Subscriber } from "./subscriber.ts";
import { WebSocketSubscriber } from "./websocket-subscriber.ts";

/** How subscribers behave while they roam: they stay, they leave and return with a cursor, or they come anew each time. */
export type Behaviour = "stays" | "returns" | "visits";

export interface SubscriberGroup {
  readonly keys: readonly string[];
  /** Of each key: half of them by SSE, half by WebSocket. */
  readonly ofEachKey: number;
  readonly behaviour: Behaviour;
}

export type FleetCommand =
  | {
      readonly do: "door";
      readonly host: string;
      readonly port: number;
      readonly token: string;
      readonly seed: number;
    }
  /** Answers when all are subscribed; visitors only come when they roam. */
  | { readonly do: "open"; readonly group: SubscriberGroup }
  /** Those that do not just stay come and go from now on. */
  | { readonly do: "roam" }
  /** Visitors leave for good, all others come, and stay. Answers when they are subscribed. */
  | { readonly do: "rest" }
  | { readonly do: "leave"; readonly keys: readonly string[] }
  /** Without their cursors. Answers when they are subscribed. */
  | { readonly do: "come"; readonly keys: readonly string[] }
  /** Answers how many of those who stay or return have not got a number, as soon as none, at the latest after a time. */
  | { readonly do: "await"; readonly number: number; readonly withinMs: number }
  | { readonly do: "tally" };

export interface Tally {
  readonly subscribers: number;
  readonly events: number;
  readonly lost: number;
  readonly untold: number;
  readonly doubled: number;
  readonly disordered: number;
  readonly gaps: number;
  readonly cuts: number;
  readonly returns: number;
  /** The longest that so many as come at once took to be let in, in milliseconds. */
  readonly slowestMs: number;
  /** Of subscribers that something went wrong with, or that wait to be let in, a few. */
  readonly examples: readonly string[];
}

/** A command, or its answer. */
export interface Envelope<Body> {
  readonly id: number;
  readonly body: Body;
}

/** That are on their way in at the same time. */
const AT_ONCE = 100;
const OPEN_MS_MAX = 60_000;
const LOOK_MS = 10;
/** How long those who roam stay, and how long they are away, in milliseconds. The gateway's `linger` is between the two of the returning. */
const ROAM_MS = {
  stays: { here: [0, 0], away: [0, 0] },
  returns: { here: [100, 1000], away: [5, 120] },
  visits: { here: [200, 1200], away: [100, 900] },
} as const;
const EXAMPLES_MAX = 5;

const clock = new SystemClock();
let door: Door | null = null;
const groups = new Map<Subscriber, Behaviour>();
let isRoaming = false;
let slowestMs = 0;

if (process.send !== undefined) {
  process.on("message", async ({ id, body }: Envelope<FleetCommand>) => {
    process.send?.({ id, body: await perform(body) });
  });
  process.on("disconnect", () => process.exit());
}

async function perform(command: FleetCommand): Promise<unknown> {
  switch (command.do) {
    case "door":
      door = { ...command, clock, random: seededRandom(command.seed) };
      return null;
    case "open":
      return comeIn(make(command.group));
    case "roam":
      isRoaming = true;
      for (const [subscriber, behaviour] of groups) roam(subscriber, behaviour);
      return null;
    case "rest":
      isRoaming = false;
      for (const [subscriber, behaviour] of groups) if (behaviour === "visits") subscriber.leave();
      return comeIn(withBehaviour("stays", "returns"));
    case "leave":
      for (const subscriber of withKeys(command.keys)) subscriber.leave();
      return null;
    case "come":
      for (const subscriber of withKeys(command.keys)) if (!subscriber.isWanted) subscriber.forget();
      return comeIn(withKeys(command.keys));
    case "await": {
      const behind = () =>
        withBehaviour("stays", "returns").filter(({ ledger }) => ledger.last < command.number).length;
      await until(() => behind() === 0, command.withinMs);
      return behind();
    }
    case "tally":
      return tally();
  }
}

function make({ keys, ofEachKey, behaviour }: SubscriberGroup): Subscriber[] {
  const made: Subscriber[] = [];
  if (door === null) return made;
  for (const key of keys) {
    for (let index = 0; index < ofEachKey; index++) {
      const subscriber = index % 2 === 0 ? new SseSubscriber(key, door) : new WebSocketSubscriber(key, door);
      groups.set(subscriber, behaviour);
      if (behaviour !== "visits") made.push(subscriber);
    }
  }
  return made;
}

/** Has them come, some at a time, until some do not get in. Answers how many are out. */
async function comeIn(subscribers: readonly Subscriber[]): Promise<number> {
  for (let start = 0; start < subscribers.length; start += AT_ONCE) {
    const batch = subscribers.slice(start, start + AT_ONCE);
    const startMs = clock.monotonicMs();
    for (const subscriber of batch) subscriber.come();
    const areIn = () => batch.every(({ isUp }) => isUp);
    await until(areIn, OPEN_MS_MAX);
    slowestMs = Math.max(slowestMs, clock.monotonicMs() - startMs);
    if (!areIn()) break;
  }
  return subscribers.filter(({ isUp }) => !isUp).length;
}

function roam(subscriber: Subscriber, behaviour: Behaviour): void {
  if (behaviour === "stays" || !isRoaming || door === null) return;
  const [min, max] = ROAM_MS[behaviour][subscriber.isWanted ? "here" : "away"];
  clock.after(min + door.random() * (max - min), () => {
    if (!isRoaming) return;
    if (subscriber.isWanted) subscriber.leave();
    else {
      if (behaviour === "visits") subscriber.forget();
      subscriber.come();
    }
    roam(subscriber, behaviour);
  });
}

function withBehaviour(...behaviours: readonly Behaviour[]): Subscriber[] {
  return [...groups].filter(([, behaviour]) => behaviours.includes(behaviour)).map(([each]) => each);
}

function withKeys(keys: readonly string[]): Subscriber[] {
  const wanted = new Set(keys);
  return [...groups.keys()].filter(({ key }) => wanted.has(key));
}

function tally(): Tally {
  const all = [...groups.keys()];
  const sum = (count: (subscriber: Subscriber) => number) =>
    all.reduce((total, each) => total + count(each), 0);
  const examples = all
    .filter(
      ({ ledger: { lost, doubled, disordered }, trouble, isUp, isWanted }) =>
        lost + doubled + disordered > 0 || trouble || isUp !== isWanted,
    )
    .slice(0, EXAMPLES_MAX)
    .map(({ key, transport, ledger, trouble, isUp }) => {
      const { last, lost, untold, doubled, disordered, gaps } = ledger;
      return `${transport} ${key}: ${JSON.stringify({ isUp, last, lost, untold, doubled, disordered, gaps, trouble })}`;
    });
  return {
    subscribers: all.length,
    events: sum(({ ledger }) => ledger.events),
    lost: sum(({ ledger }) => ledger.lost),
    untold: sum(({ ledger }) => ledger.untold),
    doubled: sum(({ ledger }) => ledger.doubled),
    disordered: sum(({ ledger }) => ledger.disordered),
    gaps: sum(({ ledger }) => ledger.gaps),
    cuts: sum(({ cuts }) => cuts),
    returns: sum(({ returns }) => returns),
    slowestMs,
    examples,
  };
}

function until(holds: () => boolean, withinMs: number): Promise<void> {
  const deadlineMs = clock.monotonicMs() + withinMs;
  return new Promise((resolve) => {
    const look = () => {
      if (holds() || clock.monotonicMs() > deadlineMs) resolve();
      else clock.after(LOOK_MS, look);
    };
    look();
  });
}
