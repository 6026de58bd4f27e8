import type { Clock, Timer } from "./clock.ts";

/** Something that wants to be called once, some time later, and again when it asks again. */
export abstract class WheelTask {
  /** Kept by the wheel: the slot and the turns left, or -1 when not armed. */
  wheelSlot = -1;
  wheelTurns = 0;

  /** The task's time has come. It may arm itself again. */
  abstract onWheel(): void;
}

const SLOTS = 512;

/**
 * One timer for any number of coarse deadlines: heartbeats, idle times, write deadlines. Arming and disarming cost a
 * set's `add` and `delete`; a deadline is met up to one tick late, never early.
 */
export class TimerWheel implements Disposable {
  readonly #clock: Clock;
  readonly #tickMs: number;
  readonly #slots = Array.from({ length: SLOTS }, () => new Set<WheelTask>());
  #current = 0;
  #size = 0;
  #startedMs = 0;
  #ticks = 0;
  #timer: Timer | null = null;

  /** @param tickMs the wheel's precision in milliseconds; default 100 */
  constructor(clock: Clock, tickMs = 100) {
    this.#clock = clock;
    this.#tickMs = tickMs;
  }

  /** Tasks armed. */
  get size(): number {
    return this.#size;
  }

  /** Every task that is armed, for the sweep. What is disarmed meanwhile may be left out. */
  *tasks(): IterableIterator<WheelTask> {
    for (const slot of this.#slots) yield* slot;
  }

  /** Calls the task after `delayMs`; one that is armed already is moved. */
  arm(task: WheelTask, delayMs: number): void {
    this.disarm(task);
    this.#size++;
    if (this.#timer === null) this.#start();
    // The current tick is partly over, so one more is added: late rather than early.
    const ticks = Math.max(1, Math.ceil(delayMs / this.#tickMs)) + (this.#size === 1 ? 0 : 1);
    task.wheelSlot = (this.#current + ticks) % SLOTS;
    task.wheelTurns = Math.floor((ticks - 1) / SLOTS);
    (this.#slots[task.wheelSlot] as Set<WheelTask>).add(task);
  }

  disarm(task: WheelTask): void {
    if (task.wheelSlot < 0) return;
    (this.#slots[task.wheelSlot] as Set<WheelTask>).delete(task);
    task.wheelSlot = -1;
    this.#size--;
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = null;
    for (const slot of this.#slots) {
      for (const task of slot) task.wheelSlot = -1;
      slot.clear();
    }
    this.#size = 0;
  }

  #start(): void {
    this.#startedMs = this.#clock.monotonicMs();
    this.#ticks = 0;
    this.#schedule();
  }

  #schedule(): void {
    const dueMs = this.#startedMs + (this.#ticks + 1) * this.#tickMs;
    this.#timer = this.#clock.after(Math.max(0, dueMs - this.#clock.monotonicMs()), () => this.#tick());
  }

  #tick(): void {
    this.#ticks++;
    this.#current = (this.#current + 1) % SLOTS;
    const slot = this.#slots[this.#current] as Set<WheelTask>;
    // A copy, since tasks arm and disarm each other while they run.
    for (const task of slot.size === 0 ? [] : [...slot]) {
      if (task.wheelSlot !== this.#current) continue;
      if (task.wheelTurns > 0) {
        task.wheelTurns--;
        continue;
      }
      this.disarm(task);
      task.onWheel();
    }
    this.#timer = null;
    if (this.#size > 0) this.#schedule();
  }
}
