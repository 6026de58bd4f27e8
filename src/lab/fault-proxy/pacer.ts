import type { FlowAct } from "./flow.ts";
import type { PaceFault } from "./script.ts";

interface Queued {
  readonly act: FlowAct;
  readonly dueMs: number;
}

/** Holds acts back as a delay and a trickle ask for, in order. Pure: times are monotonic milliseconds. */
export class Pacer {
  readonly #delayMs: number;
  readonly #portion: number;
  readonly #everyMs: number;
  readonly #queue: Queued[] = [];
  #portionDueMs = Number.NEGATIVE_INFINITY;
  #bytes = 0;

  constructor(faults: readonly PaceFault[]) {
    let delayMs = 0;
    let portion = Number.POSITIVE_INFINITY;
    let everyMs = 0;
    for (const fault of faults) {
      if (fault.do === "delay") delayMs += fault.ms;
      else ({ bytes: portion, everyMs } = fault);
    }
    this.#delayMs = delayMs;
    this.#portion = portion;
    this.#everyMs = everyMs;
  }

  /** Bytes that are held. */
  get bytes(): number {
    return this.#bytes;
  }

  put(act: FlowAct, nowMs: number): void {
    if (act.do === "forward") this.#bytes += act.bytes.length;
    this.#queue.push({ act, dueMs: nowMs + this.#delayMs });
  }

  /** What may pass now. */
  take(nowMs: number): FlowAct[] {
    const acts: FlowAct[] = [];
    for (let next = this.#queue[0]; next !== undefined && next.dueMs <= nowMs; next = this.#queue[0]) {
      if (next.act.do !== "forward") {
        acts.push(next.act);
        this.#queue.shift();
        continue;
      }
      if (nowMs < this.#portionDueMs) break;
      this.#forward(next, next.act.bytes, acts);
      if (this.#everyMs > 0) this.#portionDueMs = nowMs + this.#everyMs;
    }
    return acts;
  }

  /** When to come again, or null with nothing held. */
  get nextDueMs(): number | null {
    const next = this.#queue[0];
    if (next === undefined) return null;
    return next.act.do === "forward" ? Math.max(next.dueMs, this.#portionDueMs) : next.dueMs;
  }

  #forward(next: Queued, bytes: Uint8Array, acts: FlowAct[]): void {
    const portion = bytes.subarray(0, this.#portion);
    const rest = bytes.subarray(portion.length);
    this.#bytes -= portion.length;
    acts.push({ do: "forward", bytes: portion });
    if (rest.length === 0) this.#queue.shift();
    else this.#queue[0] = { act: { do: "forward", bytes: rest }, dueMs: next.dueMs };
  }
}
