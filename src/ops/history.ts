import type { History } from "./admin/ports.ts";
import { COUNTED, SERIES, type SeriesName } from "./admin/schemas.ts";

/** What one look at the gateway finds: amounts as they are, and counts since the start. */
export type Readings = Readonly<Record<SeriesName, number>>;

/** Steps and how many of each are kept: ten minutes by the second, two hours by 10 s, a day by the minute. */
export const STEPS = {
  "1s": { stepMs: 1000, length: 600 },
  "10s": { stepMs: 10_000, length: 720 },
  "1m": { stepMs: 60_000, length: 1440 },
} as const;
export type Step = keyof typeof STEPS;

/** How a series is drawn together over a step: what was counted in it, its last value, its highest, or its mean. */
const IS_COUNTED: ReadonlySet<SeriesName> = new Set(COUNTED);
const HIGHEST: ReadonlySet<SeriesName> = new Set(["lagP99Ms", "queuedBytes"]);
const MEAN: ReadonlySet<SeriesName> = new Set(["cpu"]);

/**
 * The gateway's numbers since its start, in rings of fixed size, so that a page that is opened late shows the past.
 * Pure: time and readings come in. About 0.5 MB, whatever happens.
 */
export class HistoryRings {
  readonly #rings: Readonly<Record<Step, Ring>> = {
    "1s": new Ring(STEPS["1s"]),
    "10s": new Ring(STEPS["10s"]),
    "1m": new Ring(STEPS["1m"]),
  };
  #before: Readings | null = null;

  /** @param nowMs wall-clock time; when it jumps back, the step is kept until time has caught up */
  record(readings: Readings, nowMs: number): void {
    const before = this.#before;
    this.#before = readings;
    const grown = (name: SeriesName) => Math.max(0, readings[name] - (before?.[name] ?? 0));
    for (const ring of Object.values(this.#rings)) ring.record(readings, grown, nowMs);
  }

  read(step: Step): History {
    return this.#rings[step].read();
  }
}

class Ring {
  readonly #stepMs: number;
  readonly #length: number;
  readonly #columns: readonly { readonly name: SeriesName; readonly values: Float64Array }[];
  /** Number of the newest step since the Unix epoch; null before the first. */
  #newest: number | null = null;
  #filled = 0;
  #looks = 0;

  constructor({ stepMs, length }: { readonly stepMs: number; readonly length: number }) {
    this.#stepMs = stepMs;
    this.#length = length;
    this.#columns = SERIES.map((name) => ({ name, values: new Float64Array(length).fill(Number.NaN) }));
  }

  record(readings: Readings, grown: (name: SeriesName) => number, nowMs: number): void {
    const step = Math.max(Math.floor(nowMs / this.#stepMs), this.#newest ?? 0);
    if (step !== this.#newest) this.#advance(step);
    this.#looks++;
    const at = step % this.#length;
    for (const { name, values } of this.#columns) {
      const held = this.#looks === 1 ? Number.NaN : (values[at] as number);
      values[at] = merged(name, held, IS_COUNTED.has(name) ? grown(name) : readings[name], this.#looks);
    }
  }

  read(): History {
    const newest = this.#newest ?? 0;
    const first = newest - this.#filled + 1;
    const series = Object.fromEntries(
      this.#columns.map(({ name, values }) => [
        name,
        Array.from({ length: this.#filled }, (_, n) => {
          const value = values[(first + n) % this.#length] as number;
          return Number.isNaN(value) ? null : value;
        }),
      ]),
    ) as History["series"];
    return { stepMs: this.#stepMs, startAtMs: this.#filled === 0 ? 0 : first * this.#stepMs, series };
  }

  /** Steps that nobody looked in, as while the machine slept, are not known. */
  #advance(step: number): void {
    const skipped = this.#newest === null ? 0 : Math.min(step - this.#newest - 1, this.#length);
    for (let n = 0; n < skipped; n++) {
      for (const { values } of this.#columns) values[(step - 1 - n) % this.#length] = Number.NaN;
    }
    this.#filled = Math.min(this.#length, this.#filled + skipped + 1);
    this.#newest = step;
    this.#looks = 0;
  }
}

function merged(name: SeriesName, held: number, value: number, looks: number): number {
  if (Number.isNaN(held)) return value;
  if (IS_COUNTED.has(name)) return held + value;
  if (HIGHEST.has(name)) return Math.max(held, value);
  return MEAN.has(name) ? held + (value - held) / looks : value;
}
