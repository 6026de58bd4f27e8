import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { QuietLog } from "./quiet-log.ts";

test("quiet log: a storm of one kind leaves a few lines and a count, other kinds are heard", () => {
  const lines: { n?: number; kind?: string; omitted?: number }[] = [];
  const clock = new VirtualClock();
  const log = new QuietLog({ ...silentLogger, warn: (fields) => lines.push(fields) }, clock);
  for (let n = 0; n < 1000; n++) log.warn("a", { n }, "storm");
  log.warn("b", { kind: "b" }, "other");
  assert.deepEqual(lines, [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }, { kind: "b" }]);
  clock.advance(10_000);
  log.warn("a", { n: 1000 }, "storm");
  log.warn("a", { n: 1001 }, "storm");
  assert.deepEqual(lines.at(-1), { n: 1000, omitted: 995 });
  clock.advance(10_000);
  log.warn("a", { n: 1002 }, "storm");
  assert.deepEqual(lines.at(-1), { n: 1002, omitted: 1 });
});

test("quiet log: what was left out of a storm that is over is told by the next line of another kind, or at the end", () => {
  const lines: object[] = [];
  const clock = new VirtualClock();
  const log = new QuietLog({ ...silentLogger, warn: (fields) => lines.push(fields) }, clock);
  for (let n = 0; n < 10; n++) log.warn("a", { n }, "storm");
  clock.advance(10_000);
  log.warn("b", {}, "other");
  assert.deepEqual(lines.slice(5), [{}, { kind: "a", omitted: 5 }]);
  for (let n = 0; n < 10; n++) log.warn("b", { n }, "storm");
  log.end();
  log.end();
  assert.deepEqual(lines.at(-1), { kind: "b", omitted: 6 });
  assert.equal(lines.length, 12);
});
