import type { Socket } from "node:net";
import { type Random, seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { resetSocket } from "#lab/reset-socket.ts";
import { serveCrew } from "./crew-member.ts";
import type { Note } from "./note.ts";
import { machineMs } from "./note.ts";
import { type Beginning, type ClientObserver, Cut, type Door, type RawClient } from "./raw-client.ts";
import { RawSseClient } from "./raw-sse-client.ts";
import { RawWebSocketClient } from "./raw-websocket-client.ts";
import { Receipt } from "./receipt.ts";
import { holdsWithin } from "./waiting.ts";

/** A process of clients that are cut and come back, each with its receipt. */
export type CutsCommand =
  /** Answers how many did not get in. */
  | { readonly do: "open"; readonly door: Door; readonly tokens: readonly string[]; readonly seed: number }
  /** From now on, until `rest`. */
  | { readonly do: "cut"; readonly oneIn: number; readonly longAwayMs: number }
  /** Nobody is cut any more, all come back. Answers how many did not. */
  | { readonly do: "rest" }
  /** Answers how many have not got a number, as soon as none, at the latest after a time. */
  | { readonly do: "await"; readonly number: number; readonly withinMs: number }
  | { readonly do: "tally" }
  /** All go. */
  | { readonly do: "leave" };

export interface CutsTally {
  readonly events: number;
  readonly repeated: number;
  readonly lost: number;
  readonly forgone: number;
  readonly cuts: Readonly<Record<Cut, number>>;
  /** Those that were to be cut, and were still on their way back. */
  readonly passedOver: number;
  readonly resumed: number;
  /** The last number of each that was told, and when. */
  readonly told: readonly (readonly [last: number, atMs: number])[];
  /** Half-closed ones that the gateway did not end in time. */
  readonly leftHalfClosed: number;
  /** Connections that ended without having been cut, or did not come about, by what was seen. */
  readonly ended: Readonly<Record<string, number>>;
  /** Milliseconds from coming to being subscribed, of all that came back. */
  readonly backMs: readonly number[];
  readonly examples: readonly string[];
}

const TICK_MS = 100;
const AT_ONCE = 100;
const COME_MS_MAX = 60_000;
/** When a client that was cut comes back. */
const BACK_MS = { min: 20, max: 400 } as const;
/** So many stay away for longer than the log reaches back. */
const LONG_AWAY_SHARE = 0.03;
const HALF_CLOSED_MS_MAX = 10_000;
/** After so long the network says that a silent one is gone. */
const SILENT_MS = 8000;
const CUTS = Object.values(Cut);
const EXAMPLES_MAX = 5;
const KINDS_MAX = 20;

interface Member {
  readonly client: RawClient;
  readonly receipt: Receipt;
  cameMs: number;
  halfClosedMs: number | null;
}

const clock = new SystemClock();
const members = new Map<RawClient, Member>();
let all: Member[] = [];
let random: Random = Math.random;
let isCutting = false;
let isResting = false;
let isOver = false;
let longAwayMs = 0;
const silent = new Set<Socket>();
const seen = {
  cuts: Object.fromEntries(CUTS.map((how) => [how, 0])) as Record<Cut, number>,
  passedOver: 0,
  resumed: 0,
  told: [] as [number, number][],
  leftHalfClosed: 0,
  ended: {} as Record<string, number>,
  backMs: [] as number[],
};

const observer: ClientObserver = {
  began(client: RawClient, beginning: Beginning, next: number | null): void {
    const { receipt, cameMs } = memberOf(client);
    if (beginning === "fresh") return;
    seen.backMs.push(Math.round(clock.monotonicMs() - cameMs));
    if (beginning === "resumed") seen.resumed++;
    else {
      seen.told.push([receipt.last, machineMs()]);
      receipt.tell(next);
    }
  },
  noted(client: RawClient, { number }: Note): void {
    memberOf(client).receipt.take(number);
  },
  ended(client: RawClient, why: string): void {
    const member = memberOf(client);
    if (member.halfClosedMs === null) count(why);
    member.halfClosedMs = null;
    comeBack(member);
  },
};

serveCrew<CutsCommand>(async (command) => {
  switch (command.do) {
    case "open":
      random = seededRandom(command.seed);
      all = command.tokens.map((token, index) => memberWith(command.door, token, index));
      return await comeIn(all);
    case "cut":
      isCutting = true;
      longAwayMs = command.longAwayMs;
      cutSome(TICK_MS / 1000 / command.oneIn, clock.monotonicMs(), 0);
      return null;
    case "rest":
      isCutting = false;
      isResting = true;
      for (const member of all) come(member);
      return await missing();
    case "await":
      await holdsWithin(clock, command.withinMs, () => behind(command.number) === 0);
      return behind(command.number);
    case "tally":
      return tally();
    case "leave":
      isOver = true;
      for (const { client } of all) client.cut(Cut.reset);
      for (const socket of silent) resetSocket(socket);
      return null;
  }
});

function memberWith(door: Door, token: string, index: number): Member {
  const client =
    index % 2 === 0 ? new RawSseClient(door, token, observer) : new RawWebSocketClient(door, token, observer);
  const member: Member = { client, receipt: new Receipt(), cameMs: 0, halfClosedMs: null };
  members.set(client, member);
  return member;
}

function memberOf(client: RawClient): Member {
  return members.get(client) as Member;
}

/** Has them come, some at a time. Answers how many did not get in. */
async function comeIn(those: readonly Member[]): Promise<number> {
  for (let start = 0; start < those.length; start += AT_ONCE) {
    const batch = those.slice(start, start + AT_ONCE);
    for (const member of batch) come(member);
    await holdsWithin(clock, COME_MS_MAX, () => batch.every(({ client }) => client.isUp));
  }
  return those.filter(({ client }) => !client.isUp).length;
}

/** Waits until all are there. Answers how many are not. */
async function missing(): Promise<number> {
  const away = () => all.filter(({ client }) => !client.isUp).length;
  await holdsWithin(clock, COME_MS_MAX, () => away() === 0);
  return away();
}

/** Picks at random among all of them. Those still on their way back are passed over, so a busy machine cuts fewer. */
function cutSome(share: number, dueMs: number, owed: number): void {
  if (!isCutting) return;
  const wanted = owed + all.length * share;
  for (let index = 0; index < Math.floor(wanted); index++) {
    const member = all[Math.floor(random() * all.length)] as Member;
    const how = CUTS[Math.floor(random() * CUTS.length)] as Cut;
    if (member.client.isUp) cut(member, how);
    else seen.passedOver++;
  }
  endHalfClosed();
  const nextMs = dueMs + TICK_MS;
  clock.after(nextMs - clock.monotonicMs(), () => cutSome(share, nextMs, wanted % 1));
}

function cut(member: Member, how: Cut): void {
  seen.cuts[how]++;
  if (how === Cut.half_closed) {
    member.halfClosedMs = clock.monotonicMs();
    member.client.halfClose();
    return;
  }
  const socket = member.client.cut(how);
  if (socket !== null) {
    silent.add(socket);
    clock.after(SILENT_MS, () => {
      silent.delete(socket);
      resetSocket(socket);
    });
  }
  comeBack(member);
}

function comeBack(member: Member): void {
  const isLong = isCutting && random() < LONG_AWAY_SHARE;
  const afterMs = isLong ? longAwayMs : BACK_MS.min + random() * (BACK_MS.max - BACK_MS.min);
  clock.after(isResting ? BACK_MS.min : afterMs, () => come(member));
}

function come(member: Member): void {
  if (isOver || member.client.isThere) return;
  member.cameMs = clock.monotonicMs();
  member.client.come();
}

function endHalfClosed(): void {
  const deadlineMs = clock.monotonicMs() - HALF_CLOSED_MS_MAX;
  for (const member of all) {
    if (member.halfClosedMs === null || member.halfClosedMs > deadlineMs) continue;
    seen.leftHalfClosed++;
    member.halfClosedMs = null;
    member.client.cut(Cut.reset);
    comeBack(member);
  }
}

function behind(number: number): number {
  return all.filter(({ receipt }) => receipt.last < number).length;
}

function count(why: string): void {
  const kind = why in seen.ended || Object.keys(seen.ended).length < KINDS_MAX ? why : "others";
  seen.ended[kind] = (seen.ended[kind] ?? 0) + 1;
}

function tally(): CutsTally {
  const sum = (what: (receipt: Receipt) => number) =>
    all.reduce((total, { receipt }) => total + what(receipt), 0);
  const examples = all
    .filter(({ receipt }) => receipt.lost + receipt.repeated > 0)
    .slice(0, EXAMPLES_MAX)
    .map(({ client, receipt }) => `${client.transport}: ${JSON.stringify(receipt)}`);
  return {
    ...seen,
    events: sum(({ events }) => events),
    repeated: sum(({ repeated }) => repeated),
    lost: sum(({ lost }) => lost),
    forgone: sum(({ forgone }) => forgone),
    examples,
  };
}
