import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { SystemClock } from "./system-clock.ts";
import { TimerWheel, WheelTask } from "./timer-wheel.ts";
import { VirtualClock } from "./virtual-clock.ts";

test("system clock: a timer fires once, a cancelled one never, and the book of timers agrees", async () => {
  const clock = new SystemClock();
  const fired: string[] = [];
  const cancelled = clock.after(1, () => fired.push("cancelled"));
  assert.equal(clock.timersPending, 1);
  cancelled.cancel();
  cancelled.cancel();
  assert.equal(clock.timersPending, 0);
  // Its timers do not keep a process alive, so the test needs one that does.
  const alive = setInterval(() => {}, 1000);
  await new Promise<void>((resolve) => {
    clock.after(1, () => fired.push("first"));
    clock.after(5, resolve);
  });
  clearInterval(alive);
  assert.deepEqual(fired, ["first"]);
  assert.equal(clock.timersPending, 0);
});

test("virtual clock: timers fire in order of their time, those armed meanwhile included", () => {
  const clock = new VirtualClock();
  const fired: [string, number][] = [];
  const note = (name: string) => fired.push([name, clock.monotonicMs()]);
  clock.after(30, () => note("late"));
  clock.after(10, () => {
    note("early");
    clock.after(5, () => note("armed meanwhile"));
  });
  clock.after(10, () => note("second of its time"));
  clock.after(20, () => note("cancelled")).cancel();
  clock.advance(29);
  assert.deepEqual(fired, [
    ["early", 10],
    ["second of its time", 10],
    ["armed meanwhile", 15],
  ]);
  assert.equal(clock.nextDueInMs, 1);
  clock.advance(1);
  assert.equal(clock.timersPending, 0);
});

class Noting extends WheelTask {
  readonly firedAtMs: number[] = [];
  readonly #clock: VirtualClock;
  constructor(clock: VirtualClock) {
    super();
    this.#clock = clock;
  }
  onWheel(): void {
    this.firedAtMs.push(this.#clock.monotonicMs());
  }
}

test("timer wheel: a task is called once, never early, at most two ticks late, whatever its delay", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(500), fc.nat(200_000)), { minLength: 1, maxLength: 20 }), (plan) => {
      const clock = new VirtualClock();
      const wheel = new TimerWheel(clock, 100);
      const armed = plan.map(([pauseMs, delayMs]) => {
        clock.advance(pauseMs);
        const task = new Noting(clock);
        wheel.arm(task, delayMs);
        return { task, dueMs: clock.monotonicMs() + delayMs };
      });
      clock.advance(300_000);
      for (const { task, dueMs } of armed) {
        assert.equal(task.firedAtMs.length, 1);
        const lateMs = (task.firedAtMs[0] as number) - dueMs;
        assert.ok(lateMs >= 0 && lateMs <= 200, `${lateMs} ms late`);
      }
      assert.equal(wheel.size, 0);
      assert.equal(clock.timersPending, 0, "an empty wheel holds no timer");
    }),
  );
});

test("timer wheel: a disarmed task is not called, an armed one can be moved", () => {
  const clock = new VirtualClock();
  const wheel = new TimerWheel(clock, 100);
  const [disarmed, moved] = [new Noting(clock), new Noting(clock)];
  wheel.arm(disarmed, 500);
  wheel.arm(moved, 500);
  wheel.arm(moved, 2000);
  assert.equal(wheel.size, 2);
  wheel.disarm(disarmed);
  wheel.disarm(disarmed);
  clock.advance(1900);
  assert.deepEqual([disarmed.firedAtMs, moved.firedAtMs], [[], []]);
  clock.advance(300);
  assert.equal(moved.firedAtMs.length, 1);
  wheel[Symbol.dispose]();
});

test("timer wheel: it sleeps until the first task is due, and wakes earlier for one that comes meanwhile", () => {
  const clock = new VirtualClock();
  const wheel = new TimerWheel(clock, 100);
  const [late, soon] = [new Noting(clock), new Noting(clock)];
  wheel.arm(late, 90_000);
  const wakesMs: number[] = [];
  const sleep = () => {
    wakesMs.push(clock.nextDueInMs ?? -1);
    clock.advance(wakesMs.at(-1) as number);
  };
  clock.advance(250);
  wheel.arm(soon, 1000);
  sleep();
  assert.deepEqual(soon.firedAtMs, [1300]);
  while (wheel.size > 0) sleep();
  assert.deepEqual(late.firedAtMs, [90_000]);
  // One more: the late one's slot comes by before its turn does.
  assert.equal(wakesMs.length, 3, `${wakesMs}`);
});
