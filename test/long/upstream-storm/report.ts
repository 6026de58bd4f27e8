export type Figures = Readonly<Record<string, string | number>>;

/** What a run has shown. */
export interface StormResult {
  readonly name: string;
  readonly figures: Figures;
  /** Promises that were broken, in words; empty: none. */
  readonly broken: readonly string[];
}

/** Figures that must be 0, and are not. */
export function brokenUnlessZero(figures: Figures, ...names: readonly string[]): string[] {
  return names.filter((name) => figures[name] !== 0).map((name) => `${name}: ${figures[name]}`);
}

/** One row for each figure, in columns. */
export function tableOf({ name, figures, broken }: StormResult): string {
  const width = Math.max(...Object.keys(figures).map((each) => each.length));
  const rows = Object.entries(figures).map(
    ([what, value]) => `  ${what.padEnd(width)}  ${numberText(value)}`,
  );
  const verdict = broken.length === 0 ? "holds" : `BROKEN: ${broken.join("; ")}`;
  return [`${name}: ${verdict}`, ...rows].join("\n");
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** @param share from 0 to 1 */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function numberText(value: string | number): string {
  return typeof value === "number" ? value.toLocaleString("en-GB", { maximumFractionDigits: 1 }) : value;
}
