import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { openAllTargets } from "./all.ts";
import { captures } from "./captures.ts";
import { type FuzzTarget, fuzz } from "./target.ts";

/** The short form; `npm run fuzz -- --seconds N` goes on for longer. */
const MS_EACH = 350;

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

test("fuzzing: a decoder that forgets, between chunks, that CR LF is one line end is found by a real feed's bytes", async () => {
  const linesOf = (chunks: readonly Buffer[]): string[] => {
    const lines = [""];
    for (const chunk of chunks) {
      const [first = "", ...more] = chunk.toString("latin1").split(/\r\n|\r|\n/);
      lines[lines.length - 1] += first;
      lines.push(...more);
    }
    return lines;
  };
  const broken: FuzzTarget = {
    name: "broken",
    captures: captures("feed", "server"),
    check: (input, chunks) => assert.deepEqual(linesOf(chunks), linesOf([input])),
  };
  await assert.rejects(fuzz(broken, { seed: 1, ms: 20_000 }), /replay with npm run fuzz/);
});
