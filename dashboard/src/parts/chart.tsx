import { useEffect, useId, useRef } from "preact/hooks";
import uPlot from "uplot";
import { clockTime } from "../format.ts";
import { colour, useTheme } from "../theme.ts";

export interface Line {
  readonly label: string;
  readonly values: readonly (number | null)[];
  /** A custom property of the theme. */
  readonly colour: string;
  /** Dashed lines are told apart without colour. */
  readonly dash?: readonly number[];
}

export interface ChartProps {
  readonly title: string;
  /** Milliseconds since the Unix epoch, one for each value. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** What the axis counts in: by ones, by powers of two, or as it comes. */
  readonly unit?: "whole" | "bytes";
  /** Moments to be marked, with what happened. */
  readonly marks?: readonly number[];
  readonly marksLabel?: string;
}

const HEIGHT = 150;
const INCREMENTS = {
  whole: Array.from({ length: 10 }, (_, n) => [1, 2, 5].map((each) => each * 10 ** n)).flat(),
  bytes: Array.from({ length: 45 }, (_, n) => 2 ** n),
};

/** Values over time. Its text says the last ones, for whoever can't see it. */
export function Chart(props: ChartProps) {
  const { title, times, lines, format, marks = [], marksLabel } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const { theme } = useTheme();
  const id = useId();
  const shape = lines.map(({ label }) => label).join();

  useEffect(() => {
    const element = box.current as HTMLDivElement;
    const drawn = new uPlot(optionsOf(latest, element.clientWidth), dataOf(latest.current), element);
    plot.current = drawn;
    const resized = new ResizeObserver(() => drawn.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    return () => {
      resized.disconnect();
      drawn.destroy();
      plot.current = null;
    };
  }, [theme, shape]);

  useEffect(() => plot.current?.setData(dataOf(props)), [times, lines]);

  const last = lines.map(({ label, values }) => {
    const value = values.findLast((each) => each !== null);
    return { label, text: value === undefined || value === null ? "unknown" : format(value) };
  });
  return (
    <figure class="chart" aria-labelledby={id}>
      <figcaption id={id}>
        <span class="chart-title">{title}</span>
        <span class="legend">
          {lines.map((line, index) => (
            <span class="legend-item" key={line.label}>
              <svg class="swatch" width="18" height="8" aria-hidden="true">
                <line
                  x1="0"
                  y1="4"
                  x2="18"
                  y2="4"
                  class={`stroke-${line.colour.replace("--", "")}`}
                  stroke-width="3"
                  stroke-dasharray={line.dash?.join(" ")}
                />
              </svg>
              {line.label} <b>{last[index]?.text}</b>
            </span>
          ))}
          {marks.length > 0 && <span class="legend-item mark">▲ {marksLabel}</span>}
        </span>
      </figcaption>
      <div ref={box} class="chart-box" aria-hidden="true" />
    </figure>
  );
}

function dataOf({ times, lines }: ChartProps): uPlot.AlignedData {
  return [times.map((atMs) => atMs / 1000), ...lines.map(({ values }) => [...values])];
}

function optionsOf(latest: { readonly current: ChartProps }, width: number): uPlot.Options {
  const { lines, unit } = latest.current;
  const axis = colour("--muted");
  const grid = { stroke: colour("--line"), width: 1 };
  const font = "11px system-ui, sans-serif";
  return {
    width,
    height: HEIGHT,
    padding: [8, 8, 0, 0],
    legend: { show: false },
    cursor: { points: { size: 6 }, drag: { x: false, y: false } },
    scales: { y: { range: (_plot, _min, max) => [0, max > 0 ? max * 1.08 : 1] } },
    axes: [
      {
        stroke: axis,
        font,
        grid: { show: false },
        ticks: grid,
        space: 70,
        values: (_plot, splits, _axis, _space, step) =>
          splits.map((second) => clockTime(second * 1000).slice(0, step < 60 ? 8 : 5)),
      },
      {
        stroke: axis,
        font,
        grid,
        ticks: { show: false },
        size: 58,
        ...(unit === undefined ? {} : { incrs: INCREMENTS[unit] }),
        values: (_plot, splits) => splits.map((value) => latest.current.format(value)),
      },
    ],
    series: [
      {},
      ...lines.map((line) => ({
        label: line.label,
        stroke: colour(line.colour),
        width: 1.8,
        ...(line.dash === undefined ? {} : { dash: [...line.dash] }),
        points: { show: false },
        spanGaps: true,
      })),
    ],
    hooks: { draw: [(plot) => drawMarks(plot, latest.current.marks ?? [])] },
  };
}

function drawMarks(plot: uPlot, marks: readonly number[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.fillStyle = colour("--bad");
  for (const atMs of marks) {
    const x = plot.valToPos(atMs / 1000, "x", true);
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const bottom = bbox.top + bbox.height;
    ctx.beginPath();
    ctx.moveTo(x, bottom - 9);
    ctx.lineTo(x - 4, bottom);
    ctx.lineTo(x + 4, bottom);
    ctx.fill();
  }
  ctx.restore();
}
