import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { REJOIN_BOUNDS, Rejoin } from "./rejoin.ts";

describe("rejoin", () => {
  test("rejoin: what is repeated up to the key's last event is dropped, however much it is", () => {
    const rejoin = new Rejoin<number>("3");
    assert.deepEqual(play(rejoin, [1, 2, 3, 4, 5]), [4, 5]);
    assert.ok(rejoin.isOver);
    assert.equal(rejoin.doubles, 3);
    const long = new Rejoin<number>("10000");
    assert.deepEqual(
      play(
        long,
        Array.from({ length: 10_002 }, (_, n) => n),
      ),
      [10_001],
    );
    assert.equal(long.isLossy, false, "what was let go was a repeat");
  });

  test("rejoin: a link that is past the key's last event loses none of its events once it has caught up", () => {
    const rejoin = new Rejoin<number>("3");
    assert.deepEqual(play(rejoin, [4, 5]), []);
    assert.deepEqual(rejoin.finish(), [4, 5]);
    assert.deepEqual(play(rejoin, [6]), [6]);
  });

  test("rejoin: without an id to wait for, time tells", () => {
    const rejoin = new Rejoin<number>("");
    assert.deepEqual(rejoin.arrive(null, 1, 1), []);
    assert.deepEqual(rejoin.arrive("", 2, 1), []);
    assert.deepEqual(rejoin.finish(), [1, 2]);
  });

  test("rejoin: items of the key's last event are all repeats", () => {
    const rejoin = new Rejoin<string>("e");
    assert.deepEqual(rejoin.arrive("e", "first", 1), []);
    assert.deepEqual(rejoin.arrive("e", "second", 1), []);
    assert.deepEqual(rejoin.arrive(null, "after", 1), ["after"]);
    assert.equal(rejoin.doubles, 2);
  });

  test("rejoin: what is held back is bounded in number and length, and says when something may be lost", () => {
    const many = new Rejoin<number>("none");
    play(
      many,
      Array.from({ length: REJOIN_BOUNDS.events + 1 }, (_, n) => n),
    );
    assert.equal(many.isLossy, true);
    assert.deepEqual(many.finish().length, REJOIN_BOUNDS.events);
    const long = new Rejoin<number>("none");
    long.arrive("1", 1, REJOIN_BOUNDS.length);
    assert.equal(long.isLossy, false);
    long.arrive("2", 2, 1);
    assert.equal(long.isLossy, true);
    assert.deepEqual(long.finish(), [2]);
    const shared = new Rejoin<number>("none", 1000);
    shared.arrive("1", 1, REJOIN_BOUNDS.lengthOfAll / 1000);
    assert.equal(shared.isLossy, false);
    shared.arrive("2", 2, 1);
    assert.equal(shared.isLossy, true);
  });

  test("rejoin: wherever the link resumes, each event comes once, in order", () => {
    fc.assert(
      fc.property(fc.nat(50), fc.nat(50), fc.nat(50), (last, resumedAfter, more) => {
        const rejoin = new Rejoin<number>(String(last));
        const end = Math.max(last, resumedAfter) + more;
        const brought = Array.from({ length: end - resumedAfter }, (_, n) => resumedAfter + 1 + n);
        const published = [...play(rejoin, brought), ...rejoin.finish()];
        const first = Math.max(last, resumedAfter) + 1;
        assert.deepEqual(
          published,
          Array.from({ length: end - first + 1 }, (_, n) => first + n),
        );
      }),
    );
  });
});

function play(rejoin: Rejoin<number>, numbers: readonly number[]): number[] {
  return numbers.flatMap((n) => rejoin.arrive(String(n), n, 1));
}
