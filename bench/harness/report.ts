/** What a figure is measured against: docs/performance.md, "Goals". */
export interface Goal {
  /** Where we mean to be, and the worst that may land. */
  readonly goal: number;
  readonly worst: number;
  /** `most`: lower is better. */
  readonly is: "most" | "least";
}

export interface Figure {
  readonly benchmark: string;
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** Absent: told for what it is, with no goal. */
  readonly goal?: Goal;
  /** The values that it is the median of. */
  readonly of?: readonly number[];
}

export type Verdict = "met" | "missed" | "too bad" | "";

export function verdictOf({ value, goal }: Figure): Verdict {
  if (goal === undefined) return "";
  const within = (bound: number) => (goal.is === "most" ? value <= bound : value >= bound);
  if (within(goal.goal)) return "met";
  return within(goal.worst) ? "missed" : "too bad";
}

/** A figure's line in the table. */
export function lineOf(figure: Figure): string {
  const { what, value, unit, goal, of } = figure;
  const bound =
    goal === undefined ? "" : `${goal.is === "most" ? "≤" : "≥"} ${short(goal.goal)} (${short(goal.worst)})`;
  const range =
    of === undefined || of.length < 2 ? "" : `${short(Math.min(...of))} to ${short(Math.max(...of))}`;
  return [
    what.padEnd(66),
    `${short(value)} ${unit}`.trim().padEnd(16),
    range.padEnd(18),
    bound.padEnd(22),
    verdictOf(figure),
  ]
    .join(" ")
    .trimEnd();
}

export const HEADING: string = [
  "what".padEnd(66),
  "median".padEnd(16),
  "range".padEnd(18),
  "goal (worst to land)".padEnd(22),
  "verdict",
].join(" ");

function short(value: number): string {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-GB");
  return value.toPrecision(3).replace(/\.0+$/, "");
}
