import assert from "node:assert/strict";
import { test } from "node:test";
import { WorkGate } from "./work-gate.ts";

test("gate: never more at once than allowed, the rest in order, and what is too much is refused", async () => {
  const gate = new WorkGate({ runningMax: 2, waitingMax: 3 });
  const started: number[] = [];
  const finish: (() => void)[] = [];
  const work = (name: number) => () => {
    started.push(name);
    return new Promise<number>((resolve) => finish.push(() => resolve(name)));
  };
  const results = [1, 2, 3, 4, 5].map((name) => gate.run(work(name)));
  assert.equal(gate.run(work(6)), null);
  assert.deepEqual({ running: gate.running, waiting: gate.waiting }, { running: 2, waiting: 3 });
  for (let at = 0; at < 5; at++) {
    finish[at]?.();
    assert.equal(await results[at], at + 1);
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(gate.running <= 2);
  }
  assert.deepEqual(started, [1, 2, 3, 4, 5]);
  assert.deepEqual({ running: gate.running, waiting: gate.waiting }, { running: 0, waiting: 0 });
});

test("gate: work that fails makes room all the same", async () => {
  const gate = new WorkGate({ runningMax: 1, waitingMax: 1 });
  const failing = gate.run(() => Promise.reject(new Error("no")));
  const next = gate.run(async () => "next");
  await assert.rejects(failing ?? Promise.resolve(), /no/);
  assert.equal(await next, "next");
  assert.equal(gate.running, 0);
});
