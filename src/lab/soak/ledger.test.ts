import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Breach, Ledger } from "./ledger.ts";

function ledger(): { ledger: Ledger; breaches: Breach[] } {
  const breaches: Breach[] = [];
  return { ledger: new Ledger("/quotes/A", (breach) => void breaches.push(breach)), breaches };
}

test("ledger: any run of consecutive numbers is right, from wherever it begins", () => {
  fc.assert(
    fc.property(fc.nat(1e6), fc.nat(50), (first, count) => {
      const { ledger: book, breaches } = ledger();
      for (let index = 0; index <= count; index++) book.take(first + 1 + index);
      assert.deepEqual(breaches, []);
      assert.equal(book.last, first + 1 + count);
    }),
  );
});

test("ledger: taking one out, or one twice, or two the wrong way round, is a breach each time", () => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 30 }), fc.integer({ min: 1, max: 28 }), (count, place) => {
      const at = Math.min(place, count - 1);
      const numbers = Array.from({ length: count + 1 }, (_, index) => index + 1);
      const spoilt = [
        numbers.filter((_, index) => index !== at),
        numbers.flatMap((number, index) => (index === at ? [number, number] : [number])),
        numbers.with(at, numbers[at - 1] as number).with(at - 1, numbers[at] as number),
      ];
      for (const wrong of spoilt) {
        const { ledger: book, breaches } = ledger();
        for (const number of wrong) book.take(number);
        // The first may be missing: nobody knows where a subscriber began.
        assert.ok(breaches.length > 0 || (at === 0 && wrong.length < numbers.length), `${wrong}`);
      }
    }),
  );
});

test("ledger: a gap that was told is none, and covers one hole only", () => {
  const { ledger: book, breaches } = ledger();
  book.take(1);
  book.tell();
  assert.ok(book.isTold);
  book.take(5);
  assert.deepEqual(breaches, []);
  book.take(8);
  assert.deepEqual(breaches, [{ kind: "lost", topic: "/quotes/A", from: 6, to: 7 }]);
});

test("ledger: another life of the gateway may begin anywhere when it says so, and must not go back unsaid", () => {
  const told = ledger();
  told.ledger.take(10);
  told.ledger.tell();
  told.ledger.enterOtherLife();
  told.ledger.take(7);
  told.ledger.take(8);
  assert.deepEqual(told.breaches, []);
  assert.equal(told.ledger.crossed, 1);
  const untold = ledger();
  untold.ledger.take(10);
  untold.ledger.enterOtherLife();
  untold.ledger.take(7);
  assert.deepEqual(untold.breaches, [{ kind: "repeated", topic: "/quotes/A", from: 7, to: 10 }]);
});
