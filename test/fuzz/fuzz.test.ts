import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { openAllTargets } from "./all.ts";
import { type FuzzTarget, fuzz } from "./target.ts";

/** The short form; `npm run fuzz -- --seconds N` goes on for longer. */
const MS_EACH = 500;

test("fuzzing: whatever parsers and the gateway are sent, they answer or refuse, and live", async (context) => {
  const seed = randomInt(2 ** 31);
  context.diagnostic(`seed ${seed}`);
  await using all = await openAllTargets();
  for (const target of all.targets) {
    const cases = await fuzz(target, { seed, ms: MS_EACH });
    assert.ok(cases > 0, target.name);
  }
  await all.checkAfter();
});

test("fuzzing: a parser that breaks is found, shrunk, and broken again by what is printed", async () => {
  const broken: FuzzTarget = {
    name: "broken",
    captures: [Buffer.from("harmless text, of some length")],
    check: (input) => assert.ok(!input.includes(0), "it can't take a NUL"),
  };
  const failure = await fuzz(broken, { seed: 1, ms: 10_000 }).catch((thrown: Error) => thrown);
  assert.ok(failure instanceof Error);
  const [, seed, path] = /--seed (-?\d+) --path (\S+)/.exec(failure.message) ?? [];
  assert.ok(seed !== undefined && path !== undefined, failure.message);
  await assert.rejects(fuzz(broken, { seed: Number(seed), ms: 10_000, path }), { message: failure.message });
});

test("fuzzing: a parser that depends on how its input is cut is found", async () => {
  const broken: FuzzTarget = {
    name: "broken",
    captures: [Buffer.from("abcdef")],
    check: (_input, chunks) =>
      assert.ok(!chunks.some((chunk) => chunk.toString() === "abc"), "it takes abc for all"),
  };
  await assert.rejects(fuzz(broken, { seed: 1, ms: 10_000 }), /replay with npm run fuzz/);
});
