import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { HANDOVER_EVENTS_MAX, HANDOVER_LENGTH_MAX, Handover } from "./handover.ts";

describe("handover", () => {
  // o: from the owner, h: from the heir.
  for (const [name, script, published, done] of [
    ["nothing yet from the heir: the owner's events pass", "o1 o2", "1 2", false],
    ["the heir repeats what the owner brought, then goes on", "o1 o2 h1 h2 h3", "1 2 3", true],
    ["the owner's later events are dropped", "o1 h1 o2 h2 o3 h3", "1 2 3", true],
    ["the heir joins live", "o1 o2 o3 h3 h4", "1 2 3 4", true],
    ["the heir is ahead: it waits for the owner", "o1 h3 h4 o2 o3 o4", "1 2 3 4", true],
    ["the heir is ahead and the owner never comes", "o1 h2 h3", "1", false],
    ["the heir begins with what is long known", "o5 h1 h2 h5 h6", "5 6", true],
    ["a snapshot before what the owner brought is older than that", "o1 o2 hs h1 h2 h3", "1 2 3", true],
    ["a snapshot before what the owner brings next comes before that", "o1 hs h2 h3 o2 o3", "1 s 2 3", true],
  ] as const) {
    test(`handover: ${name}`, () => {
      const handover = new Handover<string>();
      assert.equal(play(handover, script).join(" "), published);
      assert.equal(handover.isDone, done);
    });
  }

  test("handover: finished early, what the heir was ahead by is published, what it repeats is not", () => {
    const handover = new Handover<string>();
    assert.deepEqual(play(handover, "o1 o2 h3 h4"), ["1", "2"]);
    assert.deepEqual(handover.finish(), ["3", "4"]);
    const repeating = new Handover<string>();
    play(repeating, "o1 o2");
    assert.deepEqual(repeating.finish(), []);
    assert.deepEqual(play(repeating, "h1 h2 h3 o3"), ["3"]);
    assert.ok(repeating.isForgotten);
  });

  test("handover: a heir that sends its request again starts over", () => {
    const handover = new Handover<string>();
    assert.deepEqual(play(handover, "o1 h3"), ["1"]);
    handover.heirDialled();
    assert.deepEqual(play(handover, "o2 o3 h3 h4"), ["2", "3", "4"]);
  });

  test("handover: from a heir that has not caught up itself, nothing comes twice", () => {
    const first = new Handover<string>();
    assert.deepEqual(play(first, "o1 o2 o3 h1"), ["1", "2", "3"]);
    const second = new Handover<string>(first.remembered);
    second.heirDialled();
    assert.deepEqual(play(second, "o2 h2 o3 h3 o4 h4"), ["4"]);
  });

  test("handover: what is remembered and held back is bounded", () => {
    for (const from of ["o", "h"]) {
      const handover = new Handover<string>();
      const ids = Array.from({ length: HANDOVER_EVENTS_MAX + 1 }, (_, n) => String(n));
      assert.deepEqual(play(handover, ids.map((id) => from + id).join(" ")), ids);
      assert.ok(handover.isDone);
    }
  });

  test("handover: what is held back is bounded in length too", () => {
    const handover = new Handover<string>();
    assert.deepEqual(handover.fromHeir("1", "1", HANDOVER_LENGTH_MAX), []);
    assert.deepEqual(handover.fromHeir("2", "2", 1), ["1", "2"]);
    assert.ok(handover.isDone);
  });

  test("handover: whatever the timing and wherever the heir begins, each event comes once, in order", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.nat(30),
        fc.nat(30),
        fc.array(fc.boolean(), { maxLength: 80 }),
        (total, dialledAfter, begins, turns) => {
          const handover = new Handover<number>();
          const published: number[] = [];
          // The request is sent after the owner's first events; a heir that replays begins right after these, one that does not later.
          const dialled = Math.min(dialledAfter, total);
          for (let n = 1; n <= dialled; n++) published.push(...handover.fromOwner(String(n), n));
          handover.heirDialled();
          let owner = dialled;
          let heir = Math.min(dialled + begins, total);
          for (const isOwner of turns) {
            if (isOwner && owner < total) published.push(...handover.fromOwner(String(++owner), owner));
            // A heir that joins live brings nothing that did not exist when it joined; the owner has all of it in flight.
            if (!isOwner && heir < total) published.push(...handover.fromHeir(String(++heir), heir));
          }
          while (owner < total) published.push(...handover.fromOwner(String(++owner), owner));
          while (heir < total) published.push(...handover.fromHeir(String(++heir), heir));
          published.push(...handover.finish());
          assert.deepEqual(
            published,
            Array.from({ length: total }, (_, n) => n + 1),
          );
        },
      ),
      { numRuns: 1000 },
    );
  });
});

function play(handover: Handover<string>, script: string): string[] {
  return script.split(" ").flatMap((step) => {
    const event = step.slice(1);
    return step.startsWith("o") ? handover.fromOwner(event, event) : handover.fromHeir(event, event);
  });
}
