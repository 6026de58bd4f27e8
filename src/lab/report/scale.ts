/** Units of a plot's values: how their axis is cut and how a value is written. Pure. */
export type Unit = keyof typeof UNITS;

/** One mark of an axis. */
export interface Tick {
  readonly at: number;
  readonly text: string;
}

/** A value with its unit, short: `12.3 MiB`, `1.2k`, `340 µs`. */
export function formatValue(value: number, unit: Unit): string {
  const { steps } = UNITS[unit];
  const size = Math.abs(value);
  const step = steps.findLast(({ from }) => size >= from) ?? steps[0];
  const shown = value / step.size;
  return `${rounded(shown)}${step.suffix}`;
}

/** About `wanted` marks at round values, which cover `from` to `to`; the first and last may lie just outside. */
export function valueTicks(from: number, to: number, unit: Unit, wanted: number): Tick[] {
  const { steps } = UNITS[unit];
  const top = Math.max(Math.abs(from), Math.abs(to));
  const scale = (steps.findLast((step) => top >= step.from) ?? steps[0]).size;
  const span = (to - from || top || 1) / scale;
  const raw = Math.max(SPAN_MIN, span) / Math.max(1, wanted);
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * magnitude >= raw) ?? 10) * magnitude;
  const first = Math.floor(from / scale / step + 1e-9);
  const last = Math.ceil(to / scale / step - 1e-9);
  return Array.from({ length: Math.max(1, last - first) + 1 }, (_, index) => {
    const at = (first + index) * step * scale;
    return { at, text: formatValue(at, unit) };
  });
}

/** Marks of powers of ten that cover positive `from` to `to`, for a logarithmic axis. */
export function logTicks(from: number, to: number, unit: Unit): Tick[] {
  const first = Math.floor(Math.log10(from) + 1e-9);
  const last = Math.max(first + 1, Math.ceil(Math.log10(to) - 1e-9));
  return Array.from({ length: last - first + 1 }, (_, index) => {
    const at = 10 ** (first + index);
    return { at, text: formatValue(at, unit) };
  });
}

/** Marks within `fromMs` to `toMs`, at round times; days are counted as `1d`. */
export function timeTicks(fromMs: number, toMs: number, wanted: number): Tick[] {
  const raw = (toMs - fromMs) / Math.max(1, wanted);
  const step = TIME_STEPS_MS.find((candidate) => candidate >= raw) ?? Math.ceil(raw / DAY_MS) * DAY_MS;
  const ticks: Tick[] = [];
  for (let at = Math.ceil(fromMs / step) * step; at <= toMs; at += step)
    ticks.push({ at, text: formatElapsed(at) });
  return ticks;
}

/** Time since the start: `0`, `250ms`, `1m30s`, `2h`, `1d6h`. */
export function formatElapsed(ms: number): string {
  if (ms < 0) return `-${formatElapsed(-ms)}`;
  if (ms === 0) return "0";
  if (ms < 1000) return `${Math.round(ms)}ms`;
  if (ms < 10_000 && ms % 1000 !== 0) return `${rounded(ms / 1000)}s`;
  const seconds = Math.round(ms / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const shown = parts.filter(([count]) => count > 0).slice(0, 2);
  return shown.map(([count, unit]) => `${count}${unit}`).join("");
}

interface Step {
  /** Smallest value that is written in it. */
  readonly from: number;
  readonly size: number;
  readonly suffix: string;
}

const [KI, MI, GI] = [2 ** 10, 2 ** 20, 2 ** 30];

const THOUSANDS: readonly [Step, ...Step[]] = [
  { from: 0, size: 1, suffix: "" },
  { from: 1e4, size: 1e3, suffix: "k" },
  { from: 1e6, size: 1e6, suffix: "M" },
  { from: 1e9, size: 1e9, suffix: "G" },
];

const UNITS = {
  count: { steps: THOUSANDS },
  perSecond: {
    steps: THOUSANDS.map((step) => ({ ...step, suffix: `${step.suffix}/s` })) as [Step, ...Step[]],
  },
  bytes: {
    steps: [
      { from: 0, size: 1, suffix: " B" },
      { from: KI, size: KI, suffix: " KiB" },
      { from: MI, size: MI, suffix: " MiB" },
      { from: GI, size: GI, suffix: " GiB" },
    ],
  },
  ms: {
    steps: [
      { from: 0, size: 1e-3, suffix: " µs" },
      { from: 1, size: 1, suffix: " ms" },
      { from: 1e4, size: 1e3, suffix: " s" },
    ],
  },
  percent: { steps: [{ from: 0, size: 1, suffix: " %" }] },
} as const satisfies Record<string, { steps: readonly [Step, ...Step[]] }>;

/** Less of an axis than this is rounding noise. */
const SPAN_MIN = 1e-9;

const DAY_MS = 86_400_000;
const TIME_STEPS_MS = [
  1,
  2,
  5,
  10,
  20,
  50,
  100,
  200,
  500,
  1e3,
  2e3,
  5e3,
  10e3,
  15e3,
  30e3,
  60e3,
  120e3,
  300e3,
  600e3,
  900e3,
  1800e3,
  3600e3,
  7200e3,
  10_800e3,
  21_600e3,
  43_200e3,
  DAY_MS,
];

/** Three digits that count, and no zeros after them. */
function rounded(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
