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
  /** For each connection. */
  readonly slope: Slope;
}

/**
 * Less than this for each connection is not taken for a leak: bytes, and things. A leaked map entry is 50 bytes and
 * more; caches that still fill and code that is still compiled are far below when connections come by the hundred.
 */
const FLOOR_BYTES = 8;
const FLOOR_COUNT = 0.01;
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
    if (slope !== null && slope.low > (what.startsWith("bytes:") ? FLOOR_BYTES : FLOOR_COUNT))
      found.push({ what, slope });
  }
  return found.sort((a, b) => b.slope.low / b.slope.slope - a.slope.low / a.slope.slope);
}

/** One amount over time, in seconds. */
export function seriesOf(looks: readonly Look[], what: string): Pair[] {
  return looks.flatMap(({ atMs, amounts }): Pair[] => {
    const amount = amounts[what];
    return amount === undefined ? [] : [[atMs / 1000, amount]];
  });
}
