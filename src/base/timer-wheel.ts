import type { Clock, Timer } from "./clock.ts";

/** Something that wants to be called once, some time later, and again when it asks again. */
export abstract class WheelTask {
  /** Kept by the wheel: the tick at which it is called, or -1 when not armed. */
  wheelTick = -1;

  /** The task's time has come. It may arm itself again. */
  abstract onWheel(): void;
}

const SLOTS = 512;

/**
 * One timer for any number of coarse deadlines: heartbeats, idle times, write deadlines. Arming and disarming cost a
 * set's `add` and `delete`; a deadline is met up to one tick late, never early. Ticks at which nobody is due are
 * slept through.
 */
export class TimerWheel implements Disposable {
  readonly #clock: Clock;
  readonly #tickMs: number;
  /** Tasks by `wheelTick % SLOTS`. */
  readonly #slots = Array.from({ length: SLOTS }, () => new Set<WheelTask>());
  #size = 0;
  #startedMs = 0;
  /** Ticks since then whose tasks were called. */
  #ticks = 0;
  /** Null: the wheel is empty, and begins anew with the next task. */
  #timer: Timer | null = null;
  /** The tick that the timer waits for. */
  #wakesAtTick = 0;

  /** @param tickMs the wheel's precision in milliseconds; default 100 */
  constructor(clock: Clock, tickMs = 100) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  /** Tasks armed. */
  get size(): number {
    return this.#size;
  }

  /** Every task that is armed, for the sweep. What is armed or disarmed meanwhile may be left out. */
  *tasks(): IterableIterator<WheelTask> {
    let left = this.#size;
    for (const slot of this.#slots) {
      if (left <= 0) return;
      if (slot.size === 0) continue;
      left -= slot.size;
      yield* slot;
    }
  }

  /** Calls the task after `delayMs`; one that is armed already is moved. */
  arm(task: WheelTask, delayMs: number): void {
    this.disarm(task);
    const nowMs = this.#clock.monotonicMs();
    if (this.#timer === null) {
      this.#startedMs = nowMs;
      this.#ticks = 0;
    }
    const tick = Math.ceil((nowMs - this.#startedMs + delayMs) / this.#tickMs);
    task.wheelTick = Math.max(this.#ticks + 1, tick);
    this.#slotAt(task.wheelTick).add(task);
    this.#size++;
    if (this.#timer !== null && this.#wakesAtTick <= task.wheelTick) return;
    this.#timer?.cancel();
    this.#wakeAt(task.wheelTick);
  }

  disarm(task: WheelTask): void {
    if (task.wheelTick < 0) return;
    this.#slotAt(task.wheelTick).delete(task);
    task.wheelTick = -1;
    this.#size--;
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const slot of this.#slots) {
      for (const task of slot) task.wheelTick = -1;
      slot.clear();
    }
    this.#size = 0;
  }

  #slotAt(tick: number): Set<WheelTask> {
    return this.#slots[tick % SLOTS] as Set<WheelTask>;
  }

  #wakeAt(tick: number): void {
    this.#wakesAtTick = tick;
    const dueMs = this.#startedMs + tick * this.#tickMs;
    this.#timer = this.#clock.after(Math.max(0, dueMs - this.#clock.monotonicMs()), () => this.#wake(tick));
  }

  #wake(tick: number): void {
    this.#ticks = tick;
    const slot = this.#slotAt(tick);
    // A copy, since tasks arm and disarm each other while they run.
    for (const task of slot.size === 0 ? [] : [...slot]) {
      // Others are due when the wheel has turned round once more.
      if (task.wheelTick !== tick) continue;
      this.disarm(task);
      task.onWheel();
    }
    this.#timer = null;
    if (this.#size > 0) this.#wakeAt(this.#nextTick());
  }

  /** The next one whose slot has tasks; late, all of them follow one another, each in a turn of its own. */
  #nextTick(): number {
    let tick = this.#ticks + 1;
    while (this.#slotAt(tick).size === 0) tick++;
    return tick;
  }
}
