import assert from "node:assert/strict";
import { test } from "node:test";
import type { HeapSnapshot } from "./heap-snapshot.ts";
import { growthBetween } from "./snapshot-diff.ts";

type Held = readonly [edge: string, id: number];

const EDGES = ["element", "property"];
const BYTES = 32;

/** A heap by hand: things with an identity and a class, each of which holds others. The root, 1, stands first. */
class Heap {
  readonly #things: { id: number; name: string; holds: readonly Held[] }[] = [];

  /** @param name a function's ends in `()` */
  add(id: number, name: string, holds: readonly Held[] = []): this {
    this.#things.push({ id, name, holds });
    return this;
  }

  done(): HeapSnapshot {
    const ordinals = new Map(this.#things.map(({ id }, ordinal) => [id, ordinal]));
    const strings: string[] = [];
    const stringAt = (text: string) => {
      const known = strings.indexOf(text);
      return known >= 0 ? known : strings.push(text) - 1;
    };
    const edges = this.#things.flatMap(({ holds }) => holds);
    let edgeCount = 0;
    return {
      nodeCount: this.#things.length,
      nodeTypes: ["object", "closure"],
      edgeTypes: EDGES,
      type: Uint8Array.from(this.#things, ({ name }) => (name.endsWith("()") ? 1 : 0)),
      name: Uint32Array.from(this.#things, ({ name }) => stringAt(name.replace("()", ""))),
      id: Uint32Array.from(this.#things, ({ id }) => id),
      selfSize: new Uint32Array(this.#things.length).fill(BYTES),
      edgeStart: Uint32Array.from([0, ...this.#things.map(({ holds }) => (edgeCount += holds.length))]),
      edgeType: Uint8Array.from(edges, ([edge]) => (edge === "[]" ? 0 : 1)),
      edgeName: Uint32Array.from(edges, ([edge]) => stringAt(edge)),
      edgeTo: Uint32Array.from(edges, ([, id]) => ordinals.get(id) as number),
      strings,
    };
  }
}

/** Parts of each connection, of which there are three each: more classes than are reported. */
const PARTS = ["Socket", "Parser", "Queue", "Timer", "Session", "Bucket", "Reader", "Writer", "Listener"];
const SPAN = 100;

/** A list of functions, each of which holds a connection with all its parts. */
function leakingHeap(closures: number): HeapSnapshot {
  const list = Array.from({ length: closures }, (_, index): Held => ["[]", 1000 + index * SPAN]);
  const heap = new Heap()
    .add(1, "", [["global", 2]])
    .add(2, "global", [["leaked", 3]])
    .add(3, "Object", [["closures", 4]])
    .add(4, "Array", list);
  for (const [, id] of list) {
    const parts = PARTS.flatMap((name, at) => [0, 1, 2].map((nth): Held => [name, id + 2 + at * 3 + nth]));
    heap.add(id, "leakedClosure()", [["connection", id + 1]]).add(id + 1, "Connection", parts);
    for (const [name, part] of parts) heap.add(part, name);
  }
  return heap.done();
}

test("holders: what drags many classes along is named once, by the list that holds it", () => {
  const { holders, classes } = growthBetween(leakingHeap(3), leakingHeap(503), 40);
  // By their number alone, the function and the connection come last, where nobody is told of them.
  assert.deepEqual(new Set(classes.map(({ count }) => count)), new Set([1500]));
  assert.deepEqual(holders, [
    {
      steps: [".global → global", ".leaked → Object", ".closures → Array", "[] → leakedClosure()"],
      count: 500,
      objects: 500 * (2 + PARTS.length * 3),
      bytes: 500 * (2 + PARTS.length * 3) * BYTES,
      heaviest: [".connection → Connection"],
    },
  ]);
});

/** Two lists that are there all along, and so many things in each, from an identity on. */
function twoLists(first: { from: number; count: number }, second: { from: number; count: number }) {
  const [one, two] = [first, second].map(({ from, count }) =>
    Array.from({ length: count }, (_, index): Held => ["[]", from + index]),
  ) as [Held[], Held[]];
  const heap = new Heap()
    .add(1, "", [["global", 2]])
    .add(2, "global", [
      ["one", 3],
      ["two", 4],
    ])
    .add(3, "Array", one)
    .add(4, "Array", two);
  for (const [, id] of [...one, ...two]) heap.add(id, "Thing");
  return heap.done();
}

test("holders: what was replaced by its like, or only is held by another, did not grow", () => {
  const before = twoLists({ from: 1000, count: 500 }, { from: 2000, count: 100 });
  const replaced = twoLists({ from: 5000, count: 500 }, { from: 6000, count: 100 });
  assert.deepEqual(growthBetween(before, replaced, 40).holders, []);
  const moved = twoLists({ from: 5000, count: 100 }, { from: 6000, count: 500 });
  assert.deepEqual(growthBetween(before, moved, 40).holders, []);
  const both = growthBetween(before, twoLists({ from: 5000, count: 600 }, { from: 6000, count: 400 }), 40);
  assert.deepEqual(
    both.holders.map(({ steps, count }) => [steps[1], count]),
    [
      [".two → Array", 300],
      [".one → Array", 100],
    ],
  );
});

/** A list whose things hold each other, and whose table is another one once it is larger. */
function linked(things: number, table: number): HeapSnapshot {
  const heap = new Heap()
    .add(1, "", [["global", 2]])
    .add(2, "global", [["map", 3]])
    .add(3, "Map", [["table", table]])
    .add(table, "Table", [["head", 1000]]);
  for (let index = 0; index < things; index++)
    heap.add(1000 + index, "Thing", index + 1 < things ? [["next", 1001 + index]] : []);
  return heap.done();
}

test("holders: a table that grew and a list as long as it leaks lead to the thing that was there before", () => {
  const { holders } = growthBetween(linked(1, 10), linked(30_000, 11), 40);
  assert.equal(holders.length, 1);
  assert.equal(holders[0]?.count, 29_999);
  assert.match(holders[0]?.steps.join(" ") ?? "", /Thing \.next → Thing$/);
});

test("holders: of a map that grew its values are told, however long its keys are", () => {
  const mapOf = (entries: number) => {
    const held = Array.from({ length: entries }, (_, index): Held[] => [
      ["[]", 1000 + 3 * index],
      ["[]", 1002 + 3 * index],
    ]).flat();
    const heap = new Heap()
      .add(1, "", [["global", 2]])
      .add(2, "global", [["map", 3]])
      .add(3, "Map", held);
    for (const [, id] of held) {
      if (id % 3 === 0) heap.add(id, "Value");
      else heap.add(id, "(string)", [["first", id + 1]]).add(id + 1, "(string)");
    }
    return heap.done();
  };
  const [holder] = growthBetween(mapOf(2), mapOf(102), 40).holders;
  assert.deepEqual([holder?.steps.at(-1), holder?.count, holder?.objects], ["[] → Value", 100, 300]);
});
