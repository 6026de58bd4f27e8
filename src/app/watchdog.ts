import type { Clock, Timer } from "#base/clock.ts";
import { Tally } from "#base/counters.ts";
import type { Logger } from "#base/logger.ts";
import type { ConnectionRegistry } from "#downstream/connection-registry.ts";
import { heaviest } from "#downstream/heaviest.ts";
import type { Hub } from "#hub/hub.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { type MemoryUse, usedShare } from "./memory-use.ts";
import {
  CALM,
  decide,
  MEMORY_STEPS,
  type MemoryAction,
  type MemoryStep,
  MemoryStep as Step,
} from "./watchdog-decision.ts";

/** Time between two samples in milliseconds, in quiet times and while memory is short. One costs some 10 µs. */
const SAMPLE_CALM_MS = 100;
const SAMPLE_SHORT_MS = 50;
/** Share of the limit: whenever so much was taken since the last sample, there is one at once. */
const SAMPLE_TAKEN_SHARE = 0.01;
/** Share of the limit that all bodies under way of one kind may take together. */
const BODIES_SHARE = 1 / 32;

export interface WatchdogParts {
  readonly hub: Hub;
  readonly registry: ConnectionRegistry;
  readonly clock: Clock;
  readonly log: Logger;
  /** What the process uses. */
  readonly memory: MemoryUse;
  /** `limits.memory`, in bytes; asked at each sample. */
  readonly limitBytes: () => number;
}

/**
 * Keeps the process below `limits.memory`, so that it is not killed: first nobody new is let in, then the log and the
 * states are trimmed, then the heaviest connections are sent away; all of it undone when memory is there again.
 */
export class Watchdog implements Disposable {
  /** What was done since the start, by measure. */
  readonly measures = new Tally(["close", "collect", "trim", "shed"]);
  /** Connections that were sent away. */
  shed = 0;
  readonly #parts: WatchdogParts;
  #state = CALM;
  #timer: Timer | null = null;
  /** Bytes taken since the last sample, and how many call for the next one. */
  #takenBytes = 0;
  #takenBytesMax: number;
  /** What was decided within somebody else's work, and is performed as soon as that is done. */
  #pending: MemoryAction[] = [];

  constructor(parts: WatchdogParts) {
    this.#parts = parts;
    this.#takenBytesMax = SAMPLE_TAKEN_SHARE * parts.limitBytes();
    this.#boundBodies(parts.limitBytes());
    this.#warnOfLowLimit();
    parts.hub.meter((bytes) => this.#took(bytes));
    parts.registry.meter((bytes) => this.#took(bytes));
    this.#arm();
  }

  get step(): MemoryStep {
    return this.#state.step;
  }

  /** The step's rank, from 0 for calm, as the metric has it. */
  get severity(): number {
    return MEMORY_STEPS.indexOf(this.#state.step);
  }

  [Symbol.dispose](): void {
    this.#timer?.cancel();
    this.#timer = null;
    this.#parts.hub.meter(null);
    this.#parts.registry.meter(null);
  }

  #arm(delayMs = this.#state.step === Step.calm ? SAMPLE_CALM_MS : SAMPLE_SHORT_MS): void {
    this.#timer = this.#parts.clock.after(delayMs, () => {
      try {
        const pending = this.#pending;
        this.#pending = [];
        for (const action of pending) this.#perform(action);
        for (const action of this.#sample()) this.#perform(action);
      } finally {
        // Afterwards, since the step says how soon; and whatever was thrown, the watch goes on.
        this.#arm();
      }
    });
  }

  /**
   * Called wherever memory is taken, in the middle of it: one turn of the event loop can take more than there is left,
   * and no timer would see it. So the doors are shut and garbage is collected at once; what ends connections or changes
   * the log waits for the turn's end.
   */
  #took(bytes: number): void {
    this.#takenBytes += bytes;
    if (this.#takenBytes < this.#takenBytesMax) return;
    for (const action of this.#sample()) {
      if (action.kind === "step" || (action.kind === "collect" && this.#pending.length === 0))
        this.#perform(action);
      else this.#pending.push(action);
    }
    if (this.#pending.length === 0) return;
    this.#timer?.cancel();
    this.#arm(0);
  }

  #sample(): readonly MemoryAction[] {
    const { memory, clock } = this.#parts;
    // Here only: where the limit is a share of the cgroup's, asking for it reads files.
    const limitBytes = this.#parts.limitBytes();
    this.#takenBytes = 0;
    this.#takenBytesMax = SAMPLE_TAKEN_SHARE * limitBytes;
    this.#boundBodies(limitBytes);
    const { state, actions } = decide(this.#state, {
      used: usedShare(memory, limitBytes),
      nowMs: clock.monotonicMs(),
    });
    this.#state = state;
    return actions;
  }

  #boundBodies(limitBytes: number): void {
    const { bodies, queries } = this.#parts.registry;
    bodies.bytesMax = BODIES_SHARE * limitBytes;
    queries.bytesMax = BODIES_SHARE * limitBytes;
  }

  #perform(action: MemoryAction): void {
    const { hub, registry, memory } = this.#parts;
    switch (action.kind) {
      case "step":
        registry.refuse(action.to === Step.calm ? null : "memory");
        if (action.from === Step.calm) this.measures.add("close");
        this.#tell(action.from, action.to);
        break;
      case "trim":
        hub.squeeze(action.share);
        if (action.share < 1) this.measures.add("trim");
        this.#log(
          action.share < 1 ? "warn" : "info",
          { share: action.share },
          "the log and the states have a share of their bounds",
        );
        break;
      case "shed": {
        const sent = heaviest(registry, action.share);
        for (const connection of sent) connection.close(CloseReason.memory_pressure);
        this.measures.add("shed");
        this.shed += sent.length;
        this.#log("error", { connections: sent.length }, "the heaviest connections were sent away");
        break;
      }
      case "collect": {
        const before = memory.residentBytes();
        memory.collect();
        this.measures.add("collect");
        this.#log(
          "info",
          { freedBytes: before - memory.residentBytes() },
          "garbage was collected, as memory is short",
        );
        break;
      }
    }
  }

  #tell(from: MemoryStep, to: MemoryStep): void {
    const isWorse = MEMORY_STEPS.indexOf(to) > MEMORY_STEPS.indexOf(from);
    this.#log(
      isWorse ? "warn" : "info",
      { from, to },
      isWorse ? "memory runs short" : "memory is there again",
    );
  }

  #log(level: "info" | "warn" | "error", fields: object, message: string): void {
    const { log, memory, limitBytes } = this.#parts;
    log[level]({ ...fields, residentBytes: memory.residentBytes(), limitBytes: limitBytes() }, message);
  }

  /** A limit that an idle gateway passes would keep everybody out for ever, and nothing would say why. */
  #warnOfLowLimit(): void {
    if (usedShare(this.#parts.memory, this.#parts.limitBytes()) < 0.7) return;
    this.#log(
      "error",
      {},
      "limits.memory is hardly more than what the gateway needs by itself: set it higher",
    );
  }
}
