import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { writeHeapSnapshot } from "node:v8";
import { type HeapSnapshot, readHeapSnapshot } from "./heap-snapshot.ts";
import { growthBetween } from "./snapshot-diff.ts";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-heap-"));
after(() => rmSync(directory, { recursive: true, force: true }));

/** A heap of a root, a global object, a list in it, and so many things in the list. */
function heapText(things: number): string {
  const strings = ["", "global", "list", "Array", "Thing", "weakly", "(GC roots)"];
  const nodes: number[] = [9, 0, 1, 0, 2, 3, 1, 3, 40, 1, 3, 3, 5, 16, things, 9, 6, 7, 0, things];
  const edges: number[] = [2, 1, 5, 5, 0, 15, 2, 2, 10];
  for (let index = 0; index < things; index++) edges.push(1, index, 20 + index * 5);
  for (let index = 0; index < things; index++) edges.push(6, 5, 20 + index * 5);
  for (let index = 0; index < things; index++) nodes.push(3, 4, 9 + 2 * index, 24, 0);
  return JSON.stringify({
    snapshot: {
      meta: {
        node_fields: ["type", "name", "id", "self_size", "edge_count"],
        node_types: [
          [
            "hidden",
            "array",
            "string",
            "object",
            "code",
            "closure",
            "regexp",
            "number",
            "native",
            "synthetic",
          ],
        ],
        edge_fields: ["type", "name_or_index", "to_node"],
        edge_types: [["context", "element", "property", "internal", "hidden", "shortcut", "weak"]],
      },
      node_count: 4 + things,
      edge_count: edges.length / 3,
    },
    nodes,
    edges,
    trace_function_infos: [],
    strings,
  });
}

async function heapOf(name: string, text: string): Promise<HeapSnapshot> {
  const file = join(directory, name);
  writeFileSync(file, text);
  return await readHeapSnapshot(file);
}

test("heap snapshot: what grew is named, with the way on which it is held; weak edges hold nothing", async () => {
  const { classes: grown } = growthBetween(
    await heapOf("a", heapText(3)),
    await heapOf("b", heapText(500)),
    40,
  );
  assert.deepEqual(grown, [
    {
      name: "Thing",
      count: 497,
      bytes: 497 * 24,
      retainers: [{ count: 497, steps: [".global → global", ".list → Array", "[] → Thing"] }],
    },
  ]);
});

/** A heap of a root and a linked list of so many things. */
function listText(things: number): string {
  const text = JSON.parse(heapText(0)) as {
    snapshot: Record<string, unknown>;
    nodes: number[];
    edges: number[];
    strings: string[];
  };
  const nodes = [9, 0, 1, 0, 1];
  const edges = [2, 1, 5];
  for (let index = 0; index < things; index++) {
    nodes.push(3, 4, 3 + 2 * index, 24, index + 1 < things ? 1 : 0);
    if (index + 1 < things) edges.push(2, 2, 10 + index * 5);
  }
  const snapshot = { ...text.snapshot, node_count: 1 + things, edge_count: things };
  return JSON.stringify({ ...text, snapshot, nodes, edges });
}

test("heap snapshot: lists that are not needed may be of any length", async () => {
  const text = heapText(50).replace(
    '"trace_function_infos":[]',
    `"locations":[${"1,2,3,4,".repeat(600_000)}0]`,
  );
  assert.equal((await heapOf("long", text)).strings[4], "Thing");
});

test("heap snapshot: along a list as long as it leaks, equal steps are one", async () => {
  const { classes: grown } = growthBetween(
    await heapOf("e", listText(1)),
    await heapOf("f", listText(60_000)),
    40,
  );
  const [way] = grown[0]?.retainers ?? [];
  assert.equal(way?.steps.at(-1), ".list → Thing (repeated)");
  assert.equal(way?.count, 59_998);
});

test("heap snapshot: less than is asked for did not grow", async () => {
  assert.deepEqual(growthBetween(await heapOf("c", heapText(3)), await heapOf("d", heapText(40)), 40), {
    holders: [],
    classes: [],
  });
});

test("heap snapshot: a file that is none, or is cut off, is an error", async () => {
  await assert.rejects(heapOf("none", "{}"), SyntaxError);
  await assert.rejects(heapOf("cut", heapText(10).slice(0, -30)), SyntaxError);
  await assert.rejects(heapOf("half", heapText(10).slice(0, 700)), SyntaxError);
});

test("heap snapshot: one of this very process is read, and names who holds what", async () => {
  class HeldForTheTest {
    readonly one = {};
  }
  const held: HeldForTheTest[] = [];
  const before = await readHeapSnapshot(writeHeapSnapshot(join(directory, "before.heapsnapshot")));
  for (let index = 0; index < 1000; index++) held.push(new HeldForTheTest());
  (globalThis as { heldForTheTest?: unknown }).heldForTheTest = held;
  const { classes: grown } = growthBetween(
    before,
    await readHeapSnapshot(writeHeapSnapshot(join(directory, "after.heapsnapshot"))),
    900,
  );
  delete (globalThis as { heldForTheTest?: unknown }).heldForTheTest;
  const found = grown.find(({ name }) => name === "HeldForTheTest");
  assert.equal(found?.count, 1000);
  assert.match(found?.retainers[0]?.steps.join(" ") ?? "", /heldForTheTest → Array \[\] → HeldForTheTest$/);
});
