import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Logger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { FoldingLimiter, FoldingLogger } from "./log-folding.ts";

function recorder() {
  const lines: [level: string, fields: object, message: string][] = [];
  const write = (level: string) => (fields: object, message: string) =>
    void lines.push([level, fields, message]);
  const logger: Logger = {
    debug: write("debug"),
    info: write("info"),
    warn: write("warn"),
    error: write("error"),
  };
  return { lines, logger };
}

test("folding logger: beyond the limit, repeats are counted and told once when the window ends", () => {
  const { lines, logger } = recorder();
  const clock = new VirtualClock();
  using folding = new FoldingLogger(logger, clock, { linesMax: 2, windowMs: 1000 });
  for (let n = 0; n < 10; n++) folding.warn({ n }, "no key in event");
  folding.error({}, "another");
  assert.deepEqual(
    lines.map(([level, fields, message]) => [level, fields, message]),
    [
      ["warn", { n: 0 }, "no key in event"],
      ["warn", { n: 1 }, "no key in event"],
      ["error", {}, "another"],
    ],
  );
  clock.advance(1000);
  assert.deepEqual(lines.slice(3), [["warn", { repeated: 8 }, "no key in event"]]);
  folding.warn({ n: 11 }, "no key in event");
  assert.deepEqual(lines.at(-1), ["warn", { n: 11 }, "no key in event"]);
});

test("folding logger: it holds one timer at most, none when quiet, and none after disposal", () => {
  const { lines, logger } = recorder();
  const clock = new VirtualClock();
  const folding = new FoldingLogger(logger, clock, { linesMax: 1, windowMs: 1000 });
  for (let n = 0; n < 50; n++) folding.info({}, `message ${n % 5}`);
  assert.equal(clock.timersPending, 1);
  clock.advance(5000);
  assert.equal(clock.timersPending, 0);
  folding.info({}, "x");
  folding.info({}, "x");
  folding[Symbol.dispose]();
  assert.equal(clock.timersPending, 0);
  assert.deepEqual(lines.at(-1), ["info", { repeated: 1 }, "x"]);
  folding[Symbol.dispose]();
});

test("folding limiter: with more keys than it may hold, further ones share one window", () => {
  const limiter = new FoldingLimiter({ keysMax: 3, linesMax: 2, windowMs: 1000 });
  const admitted = Array.from({ length: 1000 }, (_, n) => limiter.admit(`info ${n}`, 0)).filter(
    Boolean,
  ).length;
  assert.equal(admitted, 3 + 2);
  assert.deepEqual(limiter.expire(1000), [{ key: "others", lines: 995 }]);
});

test("folding limiter: every line is either admitted or counted in a window that ended, whatever the order", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(400)), { maxLength: 200 }), (steps) => {
      const limiter = new FoldingLimiter({ keysMax: 4, linesMax: 2, windowMs: 500 });
      let nowMs = 0;
      let admitted = 0;
      let folded = 0;
      const expire = (atMs: number) => {
        for (const { lines } of limiter.expire(atMs)) folded += lines;
      };
      for (const [key, stepMs] of steps) {
        nowMs += stepMs;
        expire(nowMs);
        if (limiter.admit(`info ${key}`, nowMs)) admitted++;
      }
      expire(Number.POSITIVE_INFINITY);
      assert.equal(admitted + folded, steps.length);
      assert.equal(limiter.nextEndInMs(nowMs), null);
    }),
  );
});
