import { type Random, seededRandom } from "#base/random.ts";
import { live, subscribed } from "./acts.ts";
import type { Line } from "./line.ts";
import { nextCycle, SLOW_ACTS } from "./plan.ts";
import type { Holdings } from "./probe.ts";
import { Rig } from "./rig.ts";

const MB = 1e6;
/** How long the gateway may take to let go of the last client: header deadlines and farewells run out meanwhile. */
const REST_WITHIN_MS = 60_000;
/** Once its descriptors are as few as they were, how long they must stay so: the log's last events grow old meanwhile. */
const STEADY_MS = 2500;

/** The same at the end of a long run: the sweep looks every minute, and the longest deadline, the library's for close frames, is 30 s. */
const STEADY_AT_END_MS = 65_000;

export interface CyclesOptions {
  readonly seed: number;
  /** Connections that are open at once in the warming flood. */
  readonly flood: number;
  readonly cycles: number;
  /** Clients at once. */
  readonly atOnce: number;
  /** Cycles between two looks. */
  readonly lookEvery: number;
  /** Whether nobody comes whom only the gateway's deadlines end; default false. */
  readonly isShort?: boolean;
  /** Of so many connections one is leaked on purpose; default 0: none. */
  readonly leakEvery?: number;
  /** Told what is seen on the way. */
  readonly tell?: (line: string) => void;
}

/** What a gateway at rest holds. */
interface Look {
  readonly descriptors: number;
  /** Before anybody asked it to collect garbage. */
  readonly residentBytes: number;
  readonly holdings: Holdings;
}

export interface CyclesFigures {
  readonly before: Look;
  readonly after: Look;
  /** Connections opened less those closed. */
  readonly drift: number;
  readonly open: number;
  readonly reclaimed: number;
  /** Clients that were sent away since they did not read. */
  readonly slow: number;
  /** Clients that did not get what they came for. */
  readonly cutShort: number;
  readonly cyclesPerSecond: number;
  readonly complaints: readonly string[];
}

/**
 * Warms a gateway by a flood of clients, then has clients come and go, each with a fate of its own, and looks at what is
 * left of them.
 */
export async function runCycles(options: CyclesOptions): Promise<CyclesFigures> {
  const { seed, flood, cycles, atOnce, lookEvery, leakEvery = 0, isShort = false, tell = () => {} } = options;
  const without = isShort ? SLOW_ACTS : new Set<never>();
  await using rig = await Rig.open(leakEvery);
  const random = seededRandom(seed);
  const atStart = rig.descriptors();
  let cutShort = 0;
  const crowd = async (count: number) => {
    let left = count;
    const one = async () => {
      while (left-- > 0) if ((await live(rig.site, nextCycle(random, without))) !== "as planned") cutShort++;
    };
    const events = new Events(rig, random);
    await Promise.all(Array.from({ length: atOnce }, one));
    await events.end();
  };
  // A flood, and some of each kind, so that what is made once and kept is made before the first look.
  await floodOf(rig, random, flood);
  await crowd(Math.min(cycles, isShort ? 300 : 2000));
  await atRest(rig, atStart);
  const before = await lookAt(rig, isShort);
  tell(`after the flood: ${described(before)}`);
  let done = 0;
  let busyMs = 0;
  while (done < cycles) {
    const count = Math.min(lookEvery, cycles - done);
    const startMs = performance.now();
    await crowd(count);
    busyMs += performance.now() - startMs;
    done += count;
    await atRest(rig, before.descriptors);
    tell(`${done} cycles: ${mb(rig.residentBytes())} MB resident, ${rig.descriptors()} descriptors`);
  }
  await atRest(rig, before.descriptors, isShort ? 0 : STEADY_AT_END_MS);
  const after = await lookAt(rig, isShort);
  tell(`at the end: ${described(after)}`);
  const [opened = 0, closed = 0, open = 0, reclaimed = 0, slow = 0] = await rig.metric(
    "connections_opened_total",
    "connections_closed_total",
    "connections",
    "sweep_reclaimed_total",
    "slow_consumers_total",
  );
  return {
    before,
    after,
    drift: opened - closed,
    open,
    reclaimed,
    slow,
    cutShort,
    cyclesPerSecond: cycles / (busyMs / 1000),
    complaints: rig.complaints,
  };
}

export interface CyclesBounds {
  readonly heapBytes: number;
  readonly residentBytes: number;
}

/** What should not be, in words; nothing when all is as it was. Pure. */
export function faultsOf(figures: CyclesFigures, bounds: CyclesBounds): string[] {
  const { before, after } = figures;
  const faults: string[] = [];
  for (const [name, count] of Object.entries(after.holdings.objects)) {
    const were = before.holdings.objects[name] ?? 0;
    if (count > were) faults.push(`${count} objects of class ${name} are alive, ${were} were`);
  }
  const grown = (what: string, bytes: number, bytesMax: number) => {
    if (bytes > bytesMax) faults.push(`${what} grew by ${mb(bytes)} MB, at most ${mb(bytesMax)}`);
  };
  grown("the heap", after.holdings.heapBytes - before.holdings.heapBytes, bounds.heapBytes);
  grown("resident memory", after.residentBytes - before.residentBytes, bounds.residentBytes);
  grown(
    "resident memory after a collection",
    after.holdings.residentBytes - before.holdings.residentBytes,
    bounds.residentBytes,
  );
  if (after.descriptors !== before.descriptors)
    faults.push(`${after.descriptors} descriptors are open, ${before.descriptors} were`);
  if (figures.drift !== 0 || figures.open !== 0)
    faults.push(`opened less closed is ${figures.drift}, and ${figures.open} are open`);
  if (figures.reclaimed !== 0) faults.push(`the sweep reclaimed ${figures.reclaimed}`);
  if (figures.cutShort !== 0) faults.push(`${figures.cutShort} clients did not get what they came for`);
  faults.push(...figures.complaints.map((line) => `the log says ${line}`));
  return faults;
}

/** Clients that stay until all are there, half of each transport, and go all at once. */
async function floodOf(rig: Rig, random: Random, count: number): Promise<void> {
  const lines: (Line | null)[] = [];
  let left = count;
  const one = async () => {
    while (left > 0) {
      const act = left-- % 2 === 0 ? "sse fin" : "websocket close";
      lines.push(await subscribed(rig.site, { ...nextCycle(random), act }));
    }
  };
  await Promise.all(Array.from({ length: 100 }, one));
  const missing = lines.filter((line) => line === null).length;
  for (const line of lines) line?.reset();
  if (missing > 0) throw new Error(`${missing} of ${count} clients of the flood were not let in`);
}

/** Events of the feed and of a publisher, large ones among them, for as long as it is not ended. */
class Events {
  readonly #rig: Rig;
  readonly #random: Random;
  readonly #running: Promise<void>;
  #isOver = false;

  constructor(rig: Rig, random: Random) {
    this.#rig = rig;
    this.#random = random;
    this.#running = this.#run();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    const number = (below: number) => Math.floor(this.#random() * below);
    for (let index = 0; !this.#isOver; index++) {
      this.#rig.feed.publish(`S${number(50)}`, { price: number(1000) });
      await this.#rig.publish(`/public/${number(200)}/0`, `{"n":${index}}`);
      if (index % 4 === 0) await this.#rig.publish("/public/loud", LOUD);
      await tick(20);
    }
  }
}

const LOUD = "x".repeat(60_000);

/** The last client is gone, and what was kept for a while on their account. */
async function atRest(rig: Rig, descriptors: number, steadyMs = STEADY_MS): Promise<void> {
  const deadlineMs = performance.now() + REST_WITHIN_MS + steadyMs;
  let restingSinceMs = performance.now();
  while (performance.now() < deadlineMs) {
    if (rig.descriptors() > descriptors) restingSinceMs = performance.now();
    else if (performance.now() - restingSinceMs > steadyMs) return;
    await tick(50);
  }
}

async function lookAt(rig: Rig, isShort: boolean): Promise<Look> {
  const [descriptors, residentBytes] = [rig.descriptors(), rig.residentBytes()];
  return {
    descriptors,
    residentBytes,
    holdings: await rig.holdings(isShort ? "main classes" : "every class"),
  };
}

function tick(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

function described({ descriptors, residentBytes, holdings }: Look): string {
  const { heapBytes, externalBytes, objects } = holdings;
  const alive = Object.entries(objects).filter(([, count]) => count > 0);
  return (
    `${mb(residentBytes)} MB resident, ${mb(holdings.residentBytes)} after a collection; heap ${mb(heapBytes)} MB, ` +
    `external ${mb(externalBytes)} MB; ${descriptors} descriptors; ${alive.map((entry) => entry.join(" ")).join(", ")}`
  );
}

function mb(bytes: number): string {
  return (bytes / MB).toFixed(1);
}
