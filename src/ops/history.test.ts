import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SERIES, type SeriesName } from "./admin/schemas.ts";
import { HistoryRings, type Readings, STEPS, type Step } from "./history.ts";

const T0 = 1_767_225_600_000;
const ZERO = Object.fromEntries(SERIES.map((name) => [name, 0])) as Record<SeriesName, number>;
const readings = (change: Partial<Readings> = {}): Readings => ({ ...ZERO, ...change });

test("history: before the first look there is nothing", () => {
  const { startAtMs, stepMs, series } = new HistoryRings().read("1s");
  assert.deepEqual([startAtMs, stepMs, series.opened], [0, 1000, []]);
});

test("history: amounts are the last of a step, counts what came in it, lag and queue its highest, CPU its mean", () => {
  const rings = new HistoryRings();
  rings.record(readings({ subscribers: 5, opened: 10, lagP99Ms: 9, queuedBytes: 1, cpu: 0.2 }), T0);
  rings.record(readings({ subscribers: 3, opened: 12, lagP99Ms: 2, queuedBytes: 7, cpu: 0.4 }), T0 + 1000);
  rings.record(readings({ subscribers: 4, opened: 12, lagP99Ms: 1, queuedBytes: 0, cpu: 0.6 }), T0 + 2000);
  const seconds = rings.read("1s");
  assert.equal(seconds.startAtMs, T0);
  assert.deepEqual(seconds.series.subscribers, [5, 3, 4]);
  assert.deepEqual(seconds.series.opened, [10, 2, 0], "the first look has all that came since the start");
  const { series } = rings.read("10s");
  assert.deepEqual(series.subscribers, [4]);
  assert.deepEqual(series.opened, [12]);
  assert.deepEqual(series.lagP99Ms, [9]);
  assert.deepEqual(series.queuedBytes, [7]);
  assert.ok(Math.abs((series.cpu?.[0] as number) - 0.4) < 1e-9);
});

test("history: seconds in which nobody looked are not known, and what came meanwhile is in the next one", () => {
  const rings = new HistoryRings();
  rings.record(readings({ opened: 1 }), T0);
  rings.record(readings({ opened: 6 }), T0 + 4000);
  assert.deepEqual(rings.read("1s").series.opened, [1, null, null, null, 5]);
  assert.deepEqual(rings.read("10s").series.opened, [6]);
});

test("history: a sleep longer than the ring leaves nothing of before in it", () => {
  const rings = new HistoryRings();
  for (let second = 0; second < 700; second++) rings.record(readings({ topics: 1 }), T0 + second * 1000);
  rings.record(readings({ topics: 2 }), T0 + 10 ** 9);
  const { startAtMs, series } = rings.read("1s");
  assert.equal(series.topics?.length, 600);
  assert.deepEqual(
    series.topics?.filter((value) => value !== null),
    [2],
  );
  assert.equal(startAtMs, T0 + 10 ** 9 - 599_000);
});

test("history: a clock that is set back goes on in the newest step until time has caught up", () => {
  const rings = new HistoryRings();
  rings.record(readings({ opened: 1, subscribers: 1 }), T0 + 5000);
  rings.record(readings({ opened: 3, subscribers: 2 }), T0);
  rings.record(readings({ opened: 4, subscribers: 3 }), T0 + 6000);
  const { startAtMs, series } = rings.read("1s");
  assert.equal(startAtMs, T0 + 5000);
  assert.deepEqual(series.opened, [3, 1]);
  assert.deepEqual(series.subscribers, [2, 3]);
});

test("history: a counter that falls, as after a feed was taken away, counts nothing rather than less than that", () => {
  const rings = new HistoryRings();
  rings.record(readings({ gaps: 9 }), T0);
  rings.record(readings({ gaps: 2 }), T0 + 1000);
  rings.record(readings({ gaps: 3 }), T0 + 2000);
  assert.deepEqual(rings.read("1s").series.gaps, [9, 0, 1]);
});

/** The simplest thing that could be right: every look, kept for ever. */
function truth(looks: readonly { atMs: number; opened: number; topics: number }[], step: Step) {
  const { stepMs, length } = STEPS[step];
  const steps = new Map<number, { opened: number; topics: number }>();
  let before = 0;
  for (const { atMs, opened, topics } of looks) {
    const at = Math.floor(atMs / stepMs);
    const held = steps.get(at);
    steps.set(at, { opened: (held?.opened ?? 0) + opened - before, topics });
    before = opened;
  }
  const newest = Math.max(...steps.keys());
  const first = Math.max(Math.min(...steps.keys()), newest - length + 1);
  const numbers = Array.from({ length: newest - first + 1 }, (_, n) => steps.get(first + n));
  return {
    startAtMs: first * stepMs,
    opened: numbers.map((held) => held?.opened ?? null),
    topics: numbers.map((held) => held?.topics ?? null),
  };
}

test("history: each ring is what a list of all looks would say, whatever seconds were skipped", () => {
  const look = fc.record({
    passedMs: fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 2_000_000 })),
    opened: fc.integer({ min: 0, max: 100 }),
    topics: fc.integer({ min: 0, max: 100 }),
  });
  fc.assert(
    fc.property(fc.array(look, { minLength: 1, maxLength: 80 }), (given) => {
      const rings = new HistoryRings();
      let atMs = T0;
      let opened = 0;
      const looks = given.map((each) => {
        atMs += each.passedMs;
        opened += each.opened;
        return { atMs, opened, topics: each.topics };
      });
      for (const each of looks)
        rings.record(readings({ opened: each.opened, topics: each.topics }), each.atMs);
      for (const step of Object.keys(STEPS) as Step[]) {
        const { startAtMs, series } = rings.read(step);
        assert.deepEqual({ startAtMs, opened: series.opened, topics: series.topics }, truth(looks, step));
      }
    }),
    { numRuns: 40 },
  );
});
