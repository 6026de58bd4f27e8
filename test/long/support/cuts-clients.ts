import { type Random, seededRandom } from "#base/random.ts";
import { SystemClock } from "#base/system-clock.ts";
import { TimerWheel, WheelTask } from "#base/timer-wheel.ts";
import { serveCrew } from "./crew-member.ts";
import { LatencyHistogram } from "./latency-histogram.ts";
import { machineMs, numberIn } from "./note.ts";
import { type Beginning, type ClientObserver, Cut, type Door, type RawClient } from "./raw-client.ts";
import { RawSseClient } from "./raw-sse-client.ts";
import { RawWebSocketClient } from "./raw-websocket-client.ts";
import type { Wire } from "./raw-wire.ts";
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
  /** Answers the seconds that it has had of a core, user and kernel. */
  | { readonly do: "cpu" }
  /** All go. */
  | { readonly do: "leave" };

export interface CutsTally {
  readonly events: number;
  readonly repeated: number;
  readonly lost: number;
  readonly forgone: number;
  readonly cuts: Readonly<Record<Cut, number>>;
  /** Those that were drawn to be cut and were still on their way back, so that others were drawn. */
  readonly passedOver: number;
  /** Cuts that were not made, since too many of those drawn were on their way back. */
  readonly leftOut: number;
  readonly resumed: number;
  /** The last number of each that was told, and when. */
  readonly told: readonly (readonly [last: number, atMs: number])[];
  /** Half-closed ones that the gateway did not end in time. */
  readonly leftHalfClosed: number;
  /** Connections that ended without having been cut, or did not come about, by what was seen. */
  readonly ended: Readonly<Record<string, number>>;
  /** From coming to being subscribed, of all that came back: counts of a `LatencyHistogram`. */
  readonly back: readonly number[];
  readonly examples: readonly string[];
}

/** How often some are cut, so that cuts are spread over the second. */
const TICK_MS = 20;
/** How often one is drawn for a cut until one is found that is there. */
const DRAWS_MAX = 20;
/** Precision of the times at which clients come back. */
const WHEEL_MS = 10;
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

const clock = new SystemClock();
const wheel = new TimerWheel(clock, WHEEL_MS);
let all: Member[] = [];
let random: Random = Math.random;
let isCutting = false;
let isResting = false;
let isOver = false;
let longAwayMs = 0;
/** Silent ones, the first to be ended first. */
const silent: { readonly wire: Wire; readonly endMs: number }[] = [];
const seen = {
  cuts: Object.fromEntries(CUTS.map((how) => [how, 0])) as Record<Cut, number>,
  passedOver: 0,
  leftOut: 0,
  resumed: 0,
  told: [] as [number, number][],
  leftHalfClosed: 0,
  ended: {} as Record<string, number>,
};
const back = new LatencyHistogram();

/** One client, its receipt, and the time at which it comes back. */
class Member extends WheelTask implements ClientObserver {
  readonly client: RawClient;
  readonly receipt = new Receipt();
  cameMs = 0;
  halfClosedMs: number | null = null;

  constructor(door: Door, token: string, index: number) {
    super();
    this.client =
      index % 2 === 0 ? new RawSseClient(door, token, this) : new RawWebSocketClient(door, token, this);
  }

  onWheel(): void {
    come(this);
  }

  began(_client: RawClient, beginning: Beginning, next: number | null): void {
    if (beginning === "fresh") return;
    back.record(clock.monotonicMs() - this.cameMs);
    if (beginning === "resumed") seen.resumed++;
    else {
      seen.told.push([this.receipt.last, machineMs()]);
      this.receipt.tell(next);
    }
  }

  noted(_client: RawClient, text: string, start: number): void {
    this.receipt.take(numberIn(text, start));
  }

  ended(_client: RawClient, why: string): void {
    if (this.halfClosedMs === null) count(why);
    this.halfClosedMs = null;
    comeBack(this);
  }
}

serveCrew<CutsCommand>(async (command) => {
  switch (command.do) {
    case "open":
      random = seededRandom(command.seed);
      all = command.tokens.map((token, index) => new Member(command.door, token, index));
      return await comeIn(all);
    case "cut":
      isCutting = true;
      longAwayMs = command.longAwayMs;
      tick(TICK_MS / 1000 / command.oneIn, clock.monotonicMs(), 0);
      return null;
    case "rest":
      isCutting = false;
      isResting = true;
      for (const member of all) {
        wheel.disarm(member);
        come(member);
      }
      return await missing();
    case "await":
      await holdsWithin(clock, command.withinMs, () => behind(command.number) === 0);
      return behind(command.number);
    case "tally":
      return tally();
    case "cpu":
      return cpuSeconds();
    case "leave":
      isOver = true;
      for (const { client } of all) client.cut(Cut.reset);
      endSilent(Number.POSITIVE_INFINITY);
      return null;
  }
});

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

/** Every so often, until all go. @param owed the part of a cut that was left over */
function tick(share: number, dueMs: number, owed: number): void {
  if (isOver) return;
  const wanted = isCutting ? owed + all.length * share : 0;
  cutSome(Math.floor(wanted));
  const nowMs = clock.monotonicMs();
  endHalfClosed(nowMs);
  endSilent(nowMs);
  const nextMs = dueMs + TICK_MS;
  clock.after(nextMs - clock.monotonicMs(), () => tick(share, nextMs, wanted % 1));
}

/**
 * Picks at random among those that are there: one on its way back is passed over, and another one drawn. Where hardly any
 * is there a cut is left out, so a machine that is too busy cuts fewer.
 */
function cutSome(cuts: number): void {
  for (let done = 0; done < cuts; done++) {
    const member = drawn();
    if (member === null) seen.leftOut++;
    else cut(member, CUTS[Math.floor(random() * CUTS.length)] as Cut);
  }
}

function drawn(): Member | null {
  for (let draws = 0; draws < DRAWS_MAX; draws++) {
    const member = all[Math.floor(random() * all.length)] as Member;
    if (member.client.isUp) return member;
    seen.passedOver++;
  }
  return null;
}

function cut(member: Member, how: Cut): void {
  seen.cuts[how]++;
  if (how === Cut.half_closed) {
    member.halfClosedMs = clock.monotonicMs();
    member.client.halfClose();
    return;
  }
  const wire = member.client.cut(how);
  if (wire !== null) silent.push({ wire, endMs: clock.monotonicMs() + SILENT_MS });
  comeBack(member);
}

function comeBack(member: Member): void {
  const isLong = isCutting && random() < LONG_AWAY_SHARE;
  const afterMs = isLong ? longAwayMs : BACK_MS.min + random() * (BACK_MS.max - BACK_MS.min);
  wheel.arm(member, isResting ? BACK_MS.min : afterMs);
}

function come(member: Member): void {
  if (isOver || member.client.isThere) return;
  member.cameMs = clock.monotonicMs();
  member.client.come();
}

/** The network says that those are gone whose time has come. */
function endSilent(nowMs: number): void {
  let ended = 0;
  while (ended < silent.length && (silent[ended]?.endMs ?? 0) <= nowMs) silent[ended++]?.wire.reset();
  silent.splice(0, ended);
}

function endHalfClosed(nowMs: number): void {
  const deadlineMs = nowMs - HALF_CLOSED_MS_MAX;
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

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
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
    back: back.counts,
    events: sum(({ events }) => events),
    repeated: sum(({ repeated }) => repeated),
    lost: sum(({ lost }) => lost),
    forgone: sum(({ forgone }) => forgone),
    examples,
  };
}
