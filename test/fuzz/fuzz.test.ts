import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openAllTargets } from "./all.ts";
import { captures } from "./captures.ts";
import { type FuzzTarget, fuzz } from "./target.ts";

/** The short form; `npm run fuzz -- --seconds N` goes on for longer. */
const MS_EACH = 300;
const HELD = fileURLToPath(new URL("../long/fuzz-held.ts", import.meta.url));

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

test("fuzzing: an input whose check never ends is a failure, and named", async () => {
  const endless: FuzzTarget = {
    name: "endless",
    captures: [Buffer.from("harmless text")],
    check: (input) => (input.includes("\0") ? new Promise<void>(() => {}) : undefined),
  };
  const failure = await fuzz(endless, { seed: 1, ms: 10_000, inputMsMax: 100 }).catch(
    (thrown: Error) => thrown,
  );
  assert.ok(failure instanceof Error);
  assert.match(failure.message, /--target endless --seed 1 --path \d+.*\ninput, .*\\u0000/);
  assert.match(String((failure.cause as Error).message), /exceeded limit of 100 milliseconds/);
});

test("fuzzing: a target that hangs beyond the time that is given to it is a failure, not a success", async () => {
  const endless: FuzzTarget = {
    name: "endless",
    captures: [Buffer.from("text")],
    check: () => new Promise<void>(() => {}),
  };
  await assert.rejects(fuzz(endless, { seed: 1, ms: 20, inputMsMax: 100 }), /--path 0\n/);
});

test("fuzzing: an input that holds the process for ever is printed, and the process ends", () => {
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    ["--conditions=streamkeeper-source", "--expose-gc", HELD],
    { encoding: "utf8", timeout: 60_000, killSignal: "SIGTERM" },
  );
  assert.equal(status, null);
  assert.equal(signal, "SIGKILL", "not by the test's patience");
  assert.match(
    stderr,
    /^held: replay with npm run fuzz -- --target held --seed 1 --path \d+, .*\n.*; input: ".*\\u0000.*"\n$/,
  );
});
