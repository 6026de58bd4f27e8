import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Ledger } from "./ledger.ts";

const NONE: ReadonlySet<number> = new Set();

test("ledger: what was taken out, put in twice or moved is counted as that, and nothing else is", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.uniqueArray(fc.nat(59)),
      fc.uniqueArray(fc.nat(59)),
      (length, dropped, doubled) => {
        const ledger = new Ledger(1);
        const kept = numbers(length).filter((number) => !dropped.includes(number - 1));
        let twice = 0;
        for (const number of kept) {
          ledger.take(0, number);
          if (!doubled.includes(number - 1)) continue;
          ledger.take(0, number);
          twice++;
        }
        assert.equal(ledger.missing(0, length, NONE), length - kept.length);
        assert.equal(ledger.counts.doubles, twice);
        assert.equal(ledger.counts.disorder, 0);
      },
    ),
  );
});

test("ledger: any order of all numbers is disorder but no loss and no double", () => {
  fc.assert(
    fc.property(fc.shuffledSubarray(numbers(20), { minLength: 20 }), (order) => {
      const ledger = new Ledger(1);
      for (const number of order) ledger.take(0, number);
      assert.equal(ledger.missing(0, 20, NONE), 0);
      assert.equal(ledger.counts.doubles, 0);
      const late = order.filter((number, at) => order.slice(0, at).some((before) => before > number)).length;
      assert.equal(ledger.counts.disorder, late);
    }),
  );
});

test("ledger: a missing tail is a loss, and what the server refused is not", () => {
  const ledger = new Ledger(2);
  ledger.take(0, 1);
  assert.equal(ledger.hasReached(0, 3), false);
  assert.equal(ledger.missing(0, 3, NONE), 2);
  assert.equal(ledger.missing(0, 3, new Set([2, 3])), 0);
  assert.equal(ledger.missing(1, 3, NONE), 3, "who got nothing misses everything");
});

test("ledger: who joins under way misses nothing before, and everything after", () => {
  const ledger = new Ledger(1);
  ledger.joinAnywhere(0);
  assert.equal(ledger.missing(0, 9, NONE), 0);
  ledger.take(0, 5);
  ledger.take(0, 7);
  assert.equal(ledger.missing(0, 8, NONE), 2);
});

test("ledger: a gap that was told is counted as told", () => {
  const ledger = new Ledger(1);
  ledger.take(0, 1);
  ledger.gapTold([0]);
  ledger.take(0, 9);
  assert.equal(ledger.missing(0, 9, NONE), 0);
  assert.equal(ledger.counts.gapsTold, 1);
});

test("ledger: losses without bound are counted in bounded memory", () => {
  const ledger = new Ledger(1);
  ledger.take(0, 1_000_001);
  assert.equal(ledger.missing(0, 1_000_001, NONE) + ledger.counts.lostUnnamed, 1_000_000);
});

function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}
