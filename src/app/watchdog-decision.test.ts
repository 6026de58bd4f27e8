import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { CALM, decide, MEMORY_STEPS, type MemoryAction, type MemoryState } from "./watchdog-decision.ts";

/** Runs samples 100 ms apart; answers each one's actions as words, and the state at the end. */
function play(shares: readonly number[], from: MemoryState = CALM) {
  let state = from;
  const actions = shares.map((used, index) => {
    const decided = decide(state, { used, nowMs: 1000 + index * 100 });
    state = decided.state;
    return decided.actions.map(word).join(" ");
  });
  return { state, actions };
}

const word = (action: MemoryAction) =>
  action.kind === "step" ? action.to : action.kind === "trim" ? `trim:${action.share}` : action.kind;
const times = (count: number, share: number) => new Array<number>(count).fill(share);

test("watchdog: below its first share nothing is done", () => {
  const { state, actions } = play(times(1000, 0.849));
  assert.deepEqual(state.step, "calm");
  assert.ok(actions.every((action) => action === ""));
});

test("watchdog: however fast memory goes, doors are shut before the log is trimmed, and that before anyone is sent away", () => {
  const { actions } = play(times(5, 2));
  assert.deepEqual(actions, ["closed collect", "trimmed trim:0.5 collect", "shedding shed", "", ""]);
});

test("watchdog: the log is halved each second down to a sixteenth while that does not help", () => {
  const { actions, state } = play(times(100, 0.93));
  assert.deepEqual(
    actions.flatMap((action) => action.match(/trim:[\d.]+/) ?? []),
    ["trim:0.5", "trim:0.25", "trim:0.125", "trim:0.0625"],
  );
  assert.equal(state.step, "trimmed");
});

test("watchdog: doors do not stay shut for the sake of the log: it is trimmed after three seconds", () => {
  const { actions, state } = play(times(100, 0.86));
  assert.deepEqual(
    actions.flatMap((action, index) => (action === "" ? [] : [`${index / 10} s: ${action}`])).slice(0, 3),
    ["0 s: closed collect", "3 s: trimmed trim:0.5 collect", "4 s: trim:0.25 collect"],
  );
  assert.equal(state.step, "trimmed");
});

test("watchdog: nobody is sent away but for what is there after garbage was collected", () => {
  const { actions } = play(times(60, 1));
  const order = actions.join(" ").match(/collect|shed\b/g) ?? [];
  assert.ok(order.length > 4);
  for (const [index, action] of order.entries())
    if (action === "shed") assert.equal(order[index - 1], "collect");
});

test("watchdog: every step is undone, one at a time, after two quiet seconds each", () => {
  const high = play(times(50, 1)).state;
  assert.equal(high.step, "shedding");
  const { actions, state } = play(times(80, 0.5), { ...high, calmSinceMs: null });
  assert.deepEqual(
    actions.map((action, index) => [index, action]).filter(([, action]) => action !== ""),
    [
      [20, "trimmed"],
      [40, "closed trim:1"],
      [60, "calm"],
    ],
  );
  assert.equal(state.trimShare, 1);
});

test("watchdog: about a threshold it stays where it is instead of swinging", () => {
  const swinging = Array.from({ length: 400 }, (_, index) => (index % 2 === 0 ? 0.86 : 0.82));
  const { actions } = play(swinging);
  assert.equal(actions.filter((action) => /closed|calm/.test(action)).length, 1);
});

test("watchdog: whatever memory does, steps follow each other and shares stay within bounds", () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1.5, noNaN: true }), { maxLength: 300 }), (shares) => {
      let state = CALM;
      for (const [index, used] of shares.entries()) {
        const before = MEMORY_STEPS.indexOf(state.step);
        const decided = decide(state, { used, nowMs: index * 100 });
        state = decided.state;
        const rank = MEMORY_STEPS.indexOf(state.step);
        assert.ok(Math.abs(rank - before) <= 1);
        assert.ok(state.trimShare >= 1 / 16 && state.trimShare <= 1);
        if (rank < 2) assert.equal(state.trimShare, 1);
        for (const action of decided.actions)
          if (action.kind === "shed") assert.equal(state.step, "shedding");
      }
      assert.equal(play(times(100, 0), { ...state, calmSinceMs: null }).state.step, "calm");
    }),
  );
});
