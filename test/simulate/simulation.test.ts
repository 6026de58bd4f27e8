import assert from "node:assert/strict";
import { createHook } from "node:async_hooks";
import { test } from "node:test";
import { PROMISES } from "#lab/simulation/promises.ts";
import { faultsOf, replayOf, shrink } from "#lab/simulation/shrink.ts";
import { type RunOutcome, type RunSettings, simulate } from "#lab/simulation/simulation.ts";

/** What a run may use of the process: promises, ticks and turns, behind which is neither time nor a descriptor. */
const TIMELESS = new Set(["PROMISE", "TickObject", "Immediate", "Microtask", "QUEUE_MICROTASK"]);

function assertKept({ seed, broken }: RunOutcome): void {
  const detail =
    broken === null ? "" : `${broken.promise}: ${broken.detail} (streamkeeper simulate --seed ${seed})`;
  assert.equal(broken, null, detail);
}

test("simulate: quarters of days of faults break no promise", async () => {
  for (const seed of [1, 8, 19]) {
    const outcome = await simulate({ seed, days: 0.25 });
    assertKept(outcome);
    assert.ok(outcome.deliveries > 100 && outcome.connections > 10, "something has happened");
  }
});

test("simulate: the same seed is the same run, to the byte; another one is another", async () => {
  const [one, same, other] = [
    await simulate({ seed: 5, days: 0.1 }),
    await simulate({ seed: 5, days: 0.1 }),
    await simulate({ seed: 6, days: 0.1 }),
  ];
  assert.deepEqual(same, one);
  assert.notEqual(other.digest, one.digest);
});

test("simulate: a run uses no socket, no timer, no clock and no chance of the process", async (t) => {
  const forbid = (what: string) => () => assert.fail(`${what} was used`);
  t.mock.method(Date, "now", forbid("Date.now"));
  t.mock.method(Math, "random", forbid("Math.random"));
  t.mock.method(performance, "now", forbid("performance.now"));
  t.mock.method(globalThis, "setTimeout", forbid("setTimeout"));
  t.mock.method(globalThis, "setInterval", forbid("setInterval"));
  const types = new Set<string>();
  const hook = createHook({ init: (_id, type) => void types.add(type) }).enable();
  const outcome = await simulate({ seed: 8, days: 0.1 });
  hook.disable();
  t.mock.restoreAll();
  assertKept(outcome);
  assert.ok(outcome.connections > 5);
  assert.deepEqual(
    [...types].filter((type) => !TIMELESS.has(type)),
    [],
  );
});

test("simulate: a run that fails is shrunk to what it takes, and told as a command", async () => {
  const run = async (settings: RunSettings): Promise<RunOutcome> => {
    const faults = settings.faults ?? [...Array(40).keys()];
    const fails = faults.includes(1) && faults.includes(4) && (settings.clients ?? 9) >= 2;
    const broken = fails ? ({ promise: "lost", detail: "", step: 1, atMs: 21_600_000 } as const) : null;
    const counts = { steps: 1, faults: faults.length, connections: 0, deliveries: 0, lives: 1, published: 0 };
    return { seed: settings.seed, days: settings.days, digest: "", broken, ...counts };
  };
  const settings = { seed: 2, days: 1 };
  const { settings: shrunk, faults } = await shrink(settings, await run(settings), { run });
  assert.equal(
    replayOf(shrunk),
    "streamkeeper simulate --seed 2 --days 0.2501 --faults 1,4 --clients 2 --feeds 1",
  );
  assert.equal(faults.length, 2);
});

test("simulate: shrinking ends when it is told to, in the middle of a run too, with the smallest so far", async () => {
  const stop = new AbortController();
  const outcome = await simulate({ seed: 2, days: 0.1 });
  const broken = { promise: "lost", detail: "", step: 1, atMs: 3_600_000 } as const;
  const run = async (settings: RunSettings): Promise<RunOutcome> => {
    if (settings.faults === undefined) return { ...outcome, days: settings.days, broken };
    return await simulate({ ...settings, onProgress: () => stop.abort() });
  };
  const small = await shrink({ seed: 2, days: 1 }, { ...outcome, broken }, { run, signal: stop.signal });
  assert.equal(small.tries, 2, "none after the one that was given up");
  assert.equal(replayOf(small.settings), "streamkeeper simulate --seed 2 --days 0.0418");
});

test("simulate: what a shrunk run is told as names no faults that its shorter plan has not", async () => {
  const outcome = await simulate({ seed: 1, days: 0.01 });
  const broken = { promise: "lost", detail: "", step: 1, atMs: 3_600_000 } as const;
  const run = async (settings: RunSettings): Promise<RunOutcome> => ({
    ...outcome,
    days: settings.days,
    broken,
  });
  const stop = new AbortController();
  const onTry = () => stop.abort();
  const settings = { seed: 1, days: 1, faults: [0, 1, 89] };
  const small = await shrink(settings, { ...outcome, broken }, { run, signal: stop.signal, onTry });
  const count = faultsOf(small.settings);
  assert.ok(count < 89);
  assert.ok(small.settings.faults?.every((at) => at < count));
});

test("simulate: every promise is said in words", () => {
  for (const [name, words] of Object.entries(PROMISES)) assert.ok(words.length > 10, name);
});
