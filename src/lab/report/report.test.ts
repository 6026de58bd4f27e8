import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { htmlPage } from "./html.ts";
import { type Point, plotFigure } from "./plot.ts";
import { formatElapsed, formatValue, logTicks, timeTicks, valueTicks } from "./scale.ts";

const HOSTILE = `</style><script>alert("1")</script> & 'x' \u0000`;

test("report page: nothing that others named becomes markup", () => {
  const page = htmlPage({
    title: HOSTILE,
    verdict: { ok: false, text: HOSTILE },
    facts: [[HOSTILE, HOSTILE]],
    sections: [
      {
        heading: HOSTILE,
        parts: [
          { kind: "text", text: HOSTILE },
          { kind: "lines", lines: [HOSTILE] },
          { kind: "table", columns: [HOSTILE], rows: [[HOSTILE, 1]] },
          {
            kind: "plot",
            plot: {
              title: HOSTILE,
              unit: "count",
              note: HOSTILE,
              series: [{ name: HOSTILE, points: [[0, 1]] }],
              bands: [{ name: HOSTILE, from: 0, to: 1 }],
              xAxis: { name: HOSTILE, ticks: [{ at: 0, text: HOSTILE }] },
            },
          },
        ],
      },
    ],
  });
  assert.ok(!page.includes("<script"));
  assert.ok(!page.includes("\u0000"));
  assert.ok(!/(?:title|aria-label)="[^"]*'x'/.test(page), "quotes in attributes are escaped");
});

test("report page: it stands alone, fetching and running nothing", () => {
  const page = htmlPage({ title: "t", verdict: { ok: true, text: "v" }, sections: [] });
  assert.match(page, /default-src 'none'/);
  assert.doesNotMatch(page, /https?:\/\/|<script|<link|@import|url\(/);
  assert.match(page, /light-dark\(/);
});

test("plot: a null breaks the line", () => {
  const [path] = pathsOf([
    [0, 1],
    [1, 2],
    [2, null],
    [3, 2],
    [4, 1],
  ]);
  assert.equal(path?.match(/M/g)?.length, 2);
  assert.equal(path?.match(/L/g)?.length, 2);
});

test("plot: of a hundred thousand points the peaks are kept, and few others", () => {
  const points: Point[] = Array.from({ length: 100_000 }, (_, at) => [at, at === 51_234 ? 1000 : at % 7]);
  const figure = plotFigure({ title: "t", unit: "count", series: [{ name: "s", points }] });
  assert.ok(figure.length < 100_000, `${figure.length} characters`);
  const heights = [...figure.matchAll(/[ML][\d.]+ ([\d.]+)/g)].map(([, y]) => Number(y));
  assert.equal(Math.min(...heights), 10, "the one peak reaches the top");
});

test("plot: any points draw inside the figure, and no coordinate is not a number", () => {
  const point = fc.tuple(fc.double({ min: 0, max: 1e12, noNaN: true }), fc.option(fc.double()));
  fc.assert(
    fc.property(fc.array(point, { maxLength: 30 }), fc.boolean(), (unsorted, log) => {
      const points = unsorted.toSorted(([a], [b]) => a - b);
      const figure = plotFigure({ title: "t", unit: "ms", log, series: [{ name: "s", points }] });
      assert.doesNotMatch(figure, /NaN|Infinity|undefined/);
      for (const [, x, y] of figure.matchAll(/[ML]([-\d.]+) ([-\d.]+)/g)) {
        assert.ok(Number(x) >= 72 && Number(x) <= 866, `x ${x}`);
        assert.ok(Number(y) >= 9.9 && Number(y) <= 220.1, `y ${y}`);
      }
    }),
    { numRuns: 300 },
  );
});

test("scale: values and times are written short, with their unit", () => {
  assert.deepEqual(
    [0.34, 1, 9999, 12_345].map((ms) => formatValue(ms, "ms")),
    ["340 µs", "1 ms", "9999 ms", "12.3 s"],
  );
  assert.equal(formatValue(3 * 2 ** 20, "bytes"), "3 MiB");
  assert.equal(formatValue(12_345, "perSecond"), "12.3k/s");
  assert.deepEqual([0, 250, 1500, 90_000, 7_200_000, 108_000_000].map(formatElapsed), [
    "0",
    "250ms",
    "1.5s",
    "1m30s",
    "2h",
    "1d6h",
  ]);
});

test("scale: marks cover the values they are for", () => {
  const texts = (ticks: readonly { text: string }[]): string[] => ticks.map(({ text }) => text);
  assert.deepEqual(texts(valueTicks(0, 61 * 2 ** 20, "bytes", 4)), [
    "0 B",
    "20 MiB",
    "40 MiB",
    "60 MiB",
    "80 MiB",
  ]);
  assert.deepEqual(texts(timeTicks(0, 3_600_000, 4)), ["0", "15m", "30m", "45m", "1h"]);
  assert.deepEqual(texts(logTicks(0.4, 80, "ms")), ["100 µs", "1 ms", "10 ms", "100 ms"]);
});

function pathsOf(points: readonly Point[]): string[] {
  const figure = plotFigure({ title: "t", unit: "count", series: [{ name: "s", points }] });
  return [...figure.matchAll(/class="line[^"]*" d="([^"]*)"/g)].map(([, path]) => path as string);
}
