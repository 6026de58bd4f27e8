import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { seededRandom } from "#base/random.ts";
import { askLeave, attemptFailed, attemptRejected, type Breaker, CLOSED, followWithinMs } from "./breaker.ts";

const SETTINGS = { minMs: 1000, maxMs: 15_000, probeMs: 10_000 };

const fail = (breaker: Breaker, link: number, links: number, nowMs = 0) =>
  attemptFailed(breaker, link, links, SETTINGS, nowMs, () => 0.999);

const failAll = (links: number): Breaker => {
  let breaker = CLOSED;
  for (let link = 1; link <= Math.max(3, links); link++) breaker = fail(breaker, link, links);
  return breaker;
};

describe("breaker", () => {
  test("breaker: opens when as many attempts have failed as there are links, and none is open", () => {
    let breaker = CLOSED;
    for (let link = 1; link < 8; link++) {
      breaker = fail(breaker, link, 8);
      assert.equal(breaker.name, "closed");
    }
    assert.equal(fail(breaker, 8, 8).name, "open");
    assert.deepEqual(fail(breaker, 8, 0), CLOSED, "a link that is open shows that the feed is there");
  });

  test("breaker: a feed with one link has that link's backoff, and no other", () => {
    let breaker = CLOSED;
    for (let n = 0; n < 100; n++) breaker = fail(breaker, 1, 1);
    assert.deepEqual(
      askLeave(breaker, 1, SETTINGS, 0, () => 0),
      [CLOSED, 0],
    );
  });

  test("breaker: half open it lets one link try, and the others wait for what comes of it", () => {
    const open = failAll(8);
    assert.equal(open.name, "open");
    const [same, waitMs] = askLeave(open, 1, SETTINGS, 400, () => 0);
    assert.equal(same, open);
    assert.ok(waitMs > 0 && waitMs <= 600);
    const [halfOpen, none] = askLeave(open, 1, SETTINGS, 1000, () => 0);
    assert.equal(none, 0);
    assert.equal(askLeave(halfOpen, 2, SETTINGS, 1000, () => 0)[1], SETTINGS.minMs / 2);
    assert.equal(fail(halfOpen, 2, 8, 1000), halfOpen, "an attempt from before tells nothing new");
    const again = fail(halfOpen, 1, 8, 1000);
    assert.ok(again.name === "open" && again.untilMs > 2900 && again.untilMs <= 3000, "longer than before");
  });

  test("breaker: a probe that is rejected has been answered, so that nobody waits for it any more", () => {
    const open = failAll(8);
    assert.equal(
      attemptRejected(open, 1),
      open,
      "a rejected link asks no leave, and tells nothing of the others",
    );
    const [halfOpen] = askLeave(open, 1, SETTINGS, 1000, () => 0);
    assert.equal(attemptRejected(halfOpen, 2), halfOpen);
    assert.equal(attemptRejected(halfOpen, 1), CLOSED);
  });

  test("breaker: a probe that never answers is replaced by another", () => {
    const [halfOpen] = askLeave(failAll(4), 1, SETTINGS, 1000, () => 0);
    const [other, waitMs] = askLeave(halfOpen, 2, SETTINGS, 1000 + SETTINGS.probeMs, () => 0);
    assert.equal(waitMs, 0);
    assert.equal(other.name === "half_open" && other.probe, 2);
  });

  test("breaker: whatever fails, some link may always try again within its longest time and a probe's", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({ link: fc.integer({ min: 1, max: 5 }), afterMs: fc.integer({ min: 0, max: 20_000 }) }),
        ),
        fc.integer(),
        (steps, seed) => {
          const random = seededRandom(seed);
          let breaker = CLOSED;
          let nowMs = 0;
          for (const { link, afterMs } of steps) {
            nowMs += afterMs;
            const [asked, waitMs] = askLeave(breaker, link, SETTINGS, nowMs, random);
            assert.ok(waitMs <= SETTINGS.maxMs + SETTINGS.minMs, `${waitMs} ms`);
            breaker = waitMs > 0 ? asked : attemptFailed(asked, link, 5, SETTINGS, nowMs, random);
          }
          assert.equal(
            askLeave(breaker, 1, SETTINGS, nowMs + SETTINGS.maxMs + SETTINGS.probeMs, random)[1],
            0,
          );
        },
      ),
    );
  });

  test("breaker: many links follow a probe over a longer time than few", () => {
    assert.equal(followWithinMs(2, SETTINGS), 1000);
    assert.equal(followWithinMs(200, SETTINGS), 4000);
    assert.equal(followWithinMs(5000, SETTINGS), SETTINGS.maxMs);
  });
});
