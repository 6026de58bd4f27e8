import { escapeHtml } from "./escape.ts";
import {
  formatElapsed,
  formatValue,
  logTicks,
  type Tick,
  timeTicks,
  type Unit,
  valueTicks,
} from "./scale.ts";

/**
 * A line plot as inline SVG, for the pages of `html.ts`, whose style sheet colours it for light and dark screens.
 *
 * The x axis is time in milliseconds since the run's start, unless `xAxis` says otherwise. Give every plot of a page the
 * same `from` and `to`, and the same `bands`, and they share one time axis. A null value breaks its line. Any number of
 * points may come in: what a column of pixels can't show apart is drawn as its smallest and largest.
 */
export interface Plot {
  readonly title: string;
  readonly unit: Unit;
  readonly series: readonly Series[];
  /** Stretches of time to shade, such as faults and outages. */
  readonly bands?: readonly Band[];
  /** Ends of the x axis; default: those of the points. */
  readonly from?: number;
  readonly to?: number;
  /** A logarithmic y axis; values of zero and less are left out. Default false. */
  readonly log?: boolean;
  /** An x axis of something else than time. */
  readonly xAxis?: { readonly name: string; readonly ticks: readonly Tick[] };
  /** One sentence below. */
  readonly note?: string;
}

/** One line. The first eight of a plot have colours of their own. */
export interface Series {
  readonly name: string;
  /** Pairs of x and y, in the order of x. */
  readonly points: readonly Point[];
}

export type Point = readonly [x: number, y: number | null];

export interface Band {
  readonly name: string;
  readonly from: number;
  readonly to: number;
}

/** The plot as one `<figure>`. Every text in it is escaped. */
export function plotFigure(plot: Plot): string {
  const { from, to } = extent(plot);
  const values = plot.series.flatMap(({ points }) => pointsShown(points, plot, from, to).map(([, y]) => y));
  const drawn = values.filter((y) => y !== null);
  const ticks = yTicks(plot, drawn);
  const [bottom, top] = [(ticks[0] as Tick).at, (ticks.at(-1) as Tick).at];
  const x = (at: number): number => LEFT + ((at - from) / (to - from)) * (WIDTH - LEFT - RIGHT);
  const share = (at: number): number =>
    plot.log ? Math.log10(at / bottom) / Math.log10(top / bottom) : (at - bottom) / (top - bottom);
  const y = (at: number): number => HEIGHT - BELOW - share(at) * (HEIGHT - ABOVE - BELOW);

  const bands = (plot.bands ?? [])
    .filter((band) => band.to >= from && band.from <= to)
    .map((band) => {
      const [left, right] = [x(Math.max(from, band.from)), x(Math.min(to, band.to))];
      const said = `${band.name}: ${formatElapsed(band.from)} to ${formatElapsed(band.to)}`;
      return `<rect class="band" x="${px(left)}" y="${ABOVE}" width="${px(Math.max(1, right - left))}" height="${HEIGHT - ABOVE - BELOW}"><title>${escapeHtml(said)}</title></rect>`;
    });
  const across = ticks.map(
    ({ at, text }) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${px(y(at))}" y2="${px(y(at))}"/>` +
      `<text x="${LEFT - 6}" y="${px(y(at) + 4)}" text-anchor="end">${escapeHtml(text)}</text>`,
  );
  const along = (plot.xAxis?.ticks ?? timeTicks(from, to, 8)).map(
    ({ at, text }) =>
      `<line class="grid" x1="${px(x(at))}" x2="${px(x(at))}" y1="${ABOVE}" y2="${HEIGHT - BELOW}"/>` +
      `<text x="${px(x(at))}" y="${HEIGHT - BELOW + 16}" text-anchor="middle">${escapeHtml(text)}</text>`,
  );
  const lines = plot.series.map(({ name, points }, index) => {
    const shown = thinned(pointsShown(points, plot, from, to), x);
    return `<path class="line s${index % COLOURS}" d="${pathOf(shown, x, y)}"><title>${escapeHtml(name)}</title></path>`;
  });
  const nothing =
    drawn.length === 0
      ? `<text x="${WIDTH / 2}" y="${HEIGHT / 2}" text-anchor="middle">no values</text>`
      : "";
  return [
    `<figure><figcaption>${escapeHtml(plot.title)}</figcaption>`,
    `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escapeHtml(plot.title)}">`,
    ...bands,
    ...across,
    ...along,
    ...lines,
    nothing,
    `<text x="${WIDTH - RIGHT}" y="${HEIGHT - 4}" text-anchor="end">${escapeHtml(plot.xAxis?.name ?? "time since the start")}</text>`,
    "</svg>",
    legend(plot),
    plot.note === undefined ? "" : `<p class="note">${escapeHtml(plot.note)}</p>`,
    "</figure>",
  ]
    .filter((part) => part !== "")
    .join("\n");
}

const [WIDTH, HEIGHT, LEFT, RIGHT, ABOVE, BELOW] = [880, 260, 72, 14, 10, 40];
const COLOURS = 8;

/** Where the x axis begins and ends; never an empty stretch. */
function extent(plot: Plot): { from: number; to: number } {
  const ends = plot.series.flatMap(({ points }) => {
    const [first, last] = [points[0], points.at(-1)];
    return first === undefined || last === undefined ? [] : [first[0], last[0]];
  });
  const from = plot.from ?? ends.reduce((least, end) => Math.min(least, end), ends[0] ?? 0);
  const to = plot.to ?? ends.reduce((most, end) => Math.max(most, end), ends[0] ?? 1);
  return { from, to: to > from ? to : from + 1 };
}

function pointsShown(points: readonly Point[], { log }: Plot, from: number, to: number): readonly Point[] {
  return points
    .filter(([x]) => x >= from && x <= to)
    .map(([x, y]) => [x, isShown(y, log === true) ? y : null]);
}

function isShown(y: number | null, log: boolean): boolean {
  return y !== null && Math.abs(y) <= VALUE_MAX && (!log || y >= LOG_VALUE_MIN);
}

/** What lies beyond is a mistake in the data, and would flatten everything else. */
const VALUE_MAX = 1e18;
const LOG_VALUE_MIN = 1e-9;

function yTicks({ unit, log }: Plot, drawn: readonly number[]): Tick[] {
  const least = drawn.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const most = drawn.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (drawn.length === 0) return log ? logTicks(1, 10, unit) : valueTicks(0, 1, unit, 2);
  // From zero: a rise of one in a thousand should not look like a leak.
  return log ? logTicks(least, most, unit) : valueTicks(Math.min(0, least), Math.max(0, most), unit, 5);
}

/** At most four points for each column of pixels: the first, the smallest, the largest and the last. */
function thinned(points: readonly Point[], x: (at: number) => number): readonly Point[] {
  if (points.length <= 2 * WIDTH) return points;
  const kept: Point[] = [];
  for (let start = 0; start < points.length; ) {
    const column = Math.floor(x((points[start] as Point)[0]));
    let end = start + 1;
    while (end < points.length && Math.floor(x((points[end] as Point)[0])) === column) end++;
    const marks = new Set([start, end - 1]);
    let [least, most] = [start, start];
    for (let index = start; index < end; index++) {
      const y = (points[index] as Point)[1];
      if (y === null) marks.add(index);
      else {
        if (y < ((points[least] as Point)[1] ?? Number.POSITIVE_INFINITY)) least = index;
        if (y > ((points[most] as Point)[1] ?? Number.NEGATIVE_INFINITY)) most = index;
      }
    }
    // A column without a line has breaks alone, one of which says as much as all.
    const breaks = [...marks].filter((index) => (points[index] as Point)[1] === null).slice(0, 1);
    const seen = [...marks, least, most].filter((index) => (points[index] as Point)[1] !== null);
    for (const index of [...new Set([...breaks, ...seen])].sort((a, b) => a - b))
      kept.push(points[index] as Point);
    start = end;
  }
  return kept;
}

function pathOf(points: readonly Point[], x: (at: number) => number, y: (at: number) => number): string {
  let draws = false;
  let path = "";
  for (const [at, value] of points) {
    if (value !== null) path += `${draws ? "L" : "M"}${px(x(at))} ${px(y(value))}`;
    // A lone point between breaks would be nothing: a line of no length, with round ends, is a dot.
    if (value !== null && !draws) path += "h0";
    draws = value !== null;
  }
  return path;
}

function legend({ series, unit, bands }: Plot): string {
  const entries = series.map(({ name, points }, index) => {
    const values = points.map(([, y]) => y).filter((y) => y !== null && isShown(y, false)) as number[];
    const last = values.at(-1);
    const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
    const said =
      last === undefined
        ? ""
        : ` <small>at most ${formatValue(most, unit)}, last ${formatValue(last, unit)}</small>`;
    return `<li><i class="s${index % COLOURS}"></i>${escapeHtml(name)}${said}</li>`;
  });
  const shaded = [...new Set((bands ?? []).map(({ name }) => name))].slice(0, BAND_NAMES_MAX);
  if (shaded.length > 0) entries.push(`<li><i class="band"></i>${escapeHtml(shaded.join(", "))}</li>`);
  return `<ul class="legend">${entries.join("")}</ul>`;
}

const BAND_NAMES_MAX = 12;

function px(value: number): string {
  return String(Number(value.toFixed(1)));
}
