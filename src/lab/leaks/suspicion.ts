import { type Pair, type Slope, slopeBeside, type Triple } from "./regression.ts";

/** A look at a process: at a time, after so many connections of its life, with so much of each thing. */
export interface Look {
  /** Milliseconds. */
  readonly atMs: number;
  /** Connections opened in the process's life. */
  readonly opened: number;
  /** Connected at the time. */
  readonly connected: number;
  /** By name: bytes where it begins with `bytes:`, else a count. Absent: not looked at this time. */
  readonly amounts: Readonly<Record<string, number>>;
}

/** Something that grows. */
export interface Suspicion {
  readonly what: string;
  /** What the slope is for. */
  readonly per: "connection" | "hour";
  readonly slope: Slope;
}

/**
 * Less than this for each connection is not taken for a leak: bytes, and things. A leaked map entry is 50 bytes and
 * more; caches that still fill and code that is still compiled are far below when connections come by the hundred.
 */
const FLOOR_BYTES = 8;
const FLOOR_COUNT = 0.01;

/** V8's heap alone, as an amount: buffers outside it go up and down by megabytes with the load, it by a tenth of one. */
export const HEAP = "bytes:heap";
/**
 * Less than this an hour is not taken for a leak, by the beginning of the name: the first that fits. In hours at 72 without
 * a leak, over stretches of eight minutes and more, the lower ends of the intervals came to 0.5 MiB of the heap, which is
 * what the dashboard remembers of an hour; to 5 MiB of all memory; to 9 descriptors; and to no objects.
 */
const HOURLY_FLOORS: readonly (readonly [beginning: string, floor: number])[] = [
  [HEAP, 4 << 20],
  ["bytes:", 16 << 20],
  ["objects:", 1000],
  ["", 120],
];
const HOUR_MS = 3_600_000;
/** Fewer looks are not judged. */
export const LOOKS_MIN = 12;

/**
 * The amounts whose slope is above zero at 95 % confidence and above the floor, the surest first. They are judged over the
 * connections that came, not over time: a machine that is busy has fewer come in a minute, and not evenly. What is held
 * by right for those that are connected at the time is no growth. Pure.
 */
export function suspicions(looks: readonly Look[]): Suspicion[] {
  const names = new Set(looks.flatMap(({ amounts }) => Object.keys(amounts)));
  const found: Suspicion[] = [];
  for (const what of names) {
    const triples = looks.flatMap(({ opened, connected, amounts }): Triple[] => {
      const amount = amounts[what];
      // The gateway's own counts of what is connected are judged as they are.
      return amount === undefined ? [] : [[opened, amount, what.startsWith("books:") ? 0 : connected]];
    });
    if (triples.length < LOOKS_MIN) continue;
    const slope = slopeBeside(triples);
    if (slope !== null && slope.low > floorOf(what)) found.push({ what, per: "connection", slope });
  }
  return found.sort(bySureness);
}

/**
 * The same over time, in hours: what leaks by the clock, by the event or by the fault is little for each connection where
 * these come fast. Where they come so slowly that the floor for each is the lower one, `suspicions` sees as much. Looks have
 * to be of minutes, or what goes up and down with the load passes for growth. Pure.
 */
export function hourlySuspicions(looks: readonly Look[]): Suspicion[] {
  const [first, last] = [looks[0], looks.at(-1)];
  if (first === undefined || last === undefined || last.atMs <= first.atMs) return [];
  const openedHourly = (last.opened - first.opened) / ((last.atMs - first.atMs) / HOUR_MS);
  const names = new Set(looks.flatMap(({ amounts }) => Object.keys(amounts)));
  const found: Suspicion[] = [];
  for (const what of names) {
    const floor = HOURLY_FLOORS.find(([beginning]) => what.startsWith(beginning))?.[1] ?? 0;
    if (floorOf(what) * openedHourly < floor) continue;
    const triples = looks.flatMap(({ atMs, connected, amounts }): Triple[] => {
      const amount = amounts[what];
      return amount === undefined ? [] : [[atMs / HOUR_MS, amount, connected]];
    });
    if (triples.length < LOOKS_MIN) continue;
    const slope = slopeBeside(triples);
    if (slope !== null && slope.low > floor) found.push({ what, per: "hour", slope });
  }
  return found.sort(bySureness);
}

/** By how much it grew, in words. */
export function growthText({ what, per }: Suspicion, amount: number): string {
  if (per === "connection") return `${amount.toPrecision(3)} a connection`;
  return what.startsWith("bytes:")
    ? `${(amount / 2 ** 20).toPrecision(3)} MiB an hour`
    : `${amount.toPrecision(3)} an hour`;
}

/** For each connection. */
function floorOf(what: string): number {
  return what.startsWith("bytes:") ? FLOOR_BYTES : FLOOR_COUNT;
}

function bySureness(a: Suspicion, b: Suspicion): number {
  return b.slope.low / b.slope.slope - a.slope.low / a.slope.slope;
}

/** One amount over time, in seconds. */
export function seriesOf(looks: readonly Look[], what: string): Pair[] {
  return looks.flatMap(({ atMs, amounts }): Pair[] => {
    const amount = amounts[what];
    return amount === undefined ? [] : [[atMs / 1000, amount]];
  });
}
