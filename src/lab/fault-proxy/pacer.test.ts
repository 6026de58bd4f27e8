import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FlowAct } from "./flow.ts";
import { Pacer } from "./pacer.ts";

const forward = (text: string): FlowAct => ({ do: "forward", bytes: Buffer.from(text) });

describe("fault pacer", () => {
  test("fault pacer: a delay moves everything, ends included, by so much", () => {
    const pacer = new Pacer([{ do: "delay", ms: 100 }]);
    pacer.put(forward("a"), 0);
    pacer.put(forward("b"), 50);
    pacer.put({ do: "reset" }, 60);
    assert.deepEqual(texts(pacer.take(99)), []);
    assert.equal(pacer.nextDueMs, 100);
    assert.deepEqual(texts(pacer.take(100)), ["a"]);
    assert.deepEqual(texts(pacer.take(149)), []);
    assert.deepEqual(texts(pacer.take(200)), ["b", "reset"]);
    assert.equal(pacer.nextDueMs, null);
    assert.equal(pacer.bytes, 0);
  });

  test("fault pacer: a trickle lets so many bytes through at a time, and ends wait for them", () => {
    const pacer = new Pacer([{ do: "trickle", bytes: 2, everyMs: 10 }]);
    pacer.put(forward("abcde"), 0);
    pacer.put({ do: "end" }, 0);
    assert.equal(pacer.bytes, 5);
    assert.deepEqual(texts(pacer.take(0)), ["ab"]);
    assert.equal(pacer.nextDueMs, 10);
    assert.deepEqual(texts(pacer.take(5)), []);
    assert.deepEqual(texts(pacer.take(10)), ["cd"]);
    assert.deepEqual(texts(pacer.take(20)), ["e", "end"]);
    assert.equal(pacer.bytes, 0);
  });

  test("fault pacer: delay and trickle together", () => {
    const pacer = new Pacer([
      { do: "trickle", bytes: 1, everyMs: 10 },
      { do: "delay", ms: 5 },
    ]);
    pacer.put(forward("ab"), 0);
    assert.deepEqual(texts(pacer.take(4)), []);
    assert.deepEqual(texts(pacer.take(5)), ["a"]);
    assert.equal(pacer.nextDueMs, 15);
    assert.deepEqual(texts(pacer.take(15)), ["b"]);
  });
});

function texts(acts: readonly FlowAct[]): string[] {
  return acts.map((act) => (act.do === "forward" ? Buffer.from(act.bytes).toString() : act.do));
}
