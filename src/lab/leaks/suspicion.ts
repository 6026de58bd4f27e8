import { type Pair, type Slope, slopeOf } from "./regression.ts";

/** A look at a process: at a time, after so many connections of its life, with so much of each thing. */
export interface Look {
  /** Milliseconds. */
  readonly atMs: number;
  /** Connections opened in the process's life. */
  readonly opened: number;
  /** By name: bytes where it begins with `bytes:`, else a count. Absent: not looked at this time. */
  readonly amounts: Readonly<Record<string, number>>;
}

/** Something that grows. */
export interface Suspicion {
  readonly what: string;
  /** For each second. */
  readonly slope: Slope;
  /** The same for each connection, at its lowest. */
  readonly leastPerConnection: number;
  readonly slopePerConnection: number;
}

/**
 * Less than this for each connection is not taken for a leak: bytes, and things. A leaked map entry is 50 bytes and
 * more; caches that still fill and code that is still compiled are far below when connections come by the hundred.
 */
const FLOOR_BYTES = 8;
const FLOOR_COUNT = 0.01;
/** Fewer looks are not judged. */
const LOOKS_MIN = 12;

/** The amounts whose slope is above zero at 95 % confidence and above the floor, the surest first. Pure. */
export function suspicions(looks: readonly Look[]): Suspicion[] {
  const first = looks[0];
  const last = looks.at(-1);
  if (first === undefined || last === undefined || looks.length < LOOKS_MIN) return [];
  const seconds = (last.atMs - first.atMs) / 1000;
  const perSecond = seconds > 0 ? (last.opened - first.opened) / seconds : 0;
  if (perSecond <= 0) return [];
  const names = new Set(looks.flatMap(({ amounts }) => Object.keys(amounts)));
  const found: Suspicion[] = [];
  for (const what of names) {
    const slope = slopeOf(seriesOf(looks, what));
    if (slope === null || slope.points < LOOKS_MIN) continue;
    const leastPerConnection = slope.low / perSecond;
    if (leastPerConnection <= (what.startsWith("bytes:") ? FLOOR_BYTES : FLOOR_COUNT)) continue;
    found.push({ what, slope, leastPerConnection, slopePerConnection: slope.slope / perSecond });
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
