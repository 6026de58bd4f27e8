import type { Clock } from "#base/clock.ts";
import type { Connection } from "#downstream/connection.ts";
import type { ConnectionRegistry } from "#downstream/connection-registry.ts";
import { CloseReason } from "#protocol/close-reason.ts";

/** The part of the drain's time over which goodbyes are spread; the rest is for the last bytes. */
const GOODBYES_SHARE = 0.5;
/** Goodbyes are said in so many steps. */
const STEPS = 20;

export interface DrainOptions {
  readonly registry: ConnectionRegistry;
  readonly clock: Clock;
  readonly timeoutMs: () => number;
  /** Keeps the process alive until it is disposed of. Default: a timer does. */
  readonly stayAlive?: () => Disposable;
}

export interface DrainOutcome {
  /** Sockets that had not gone by the deadline and were destroyed. */
  readonly cut: number;
  readonly durationMs: number;
}

/**
 * How many of the connections that are left to send away at a step, so that the last one goes at the last step. Few
 * connections go at once: spreading is for reconnects that would come as a wave. For tests.
 */
export function goodbyesAt(step: number, steps: number, left: number): number {
  return left <= steps ? left : Math.ceil(left / (steps - step));
}

/** An orderly stop: no new connections, goodbyes spread over a while, and a hard end. */
export class Drain {
  readonly #registry: ConnectionRegistry;
  readonly #clock: Clock;
  readonly #timeoutMs: () => number;
  readonly #stayAlive: () => Disposable;
  #listener: { close(): Promise<void>; destroy(): void } | null = null;
  #running: Promise<DrainOutcome> | null = null;

  constructor(options: DrainOptions) {
    this.#registry = options.registry;
    this.#clock = options.clock;
    this.#timeoutMs = options.timeoutMs;
    this.#stayAlive = options.stayAlive ?? stayAlive;
  }

  get isUnderWay(): boolean {
    return this.#running !== null;
  }

  stopsAccepting(listener: { close(): Promise<void>; destroy(): void }): void {
    this.#listener = listener;
  }

  /**
   * Resolves when the last client has gone, at the deadline at the latest. Idempotent: the first call's deadline counts.
   *
   * @param timeoutMs default: `drain.timeout`
   */
  run(timeoutMs = this.#timeoutMs()): Promise<DrainOutcome> {
    this.#running ??= this.#run(timeoutMs);
    return this.#running;
  }

  async #run(timeoutMs: number): Promise<DrainOutcome> {
    const startMs = this.#clock.monotonicMs();
    const closed = this.#listener?.close();
    const stepMs = (timeoutMs * GOODBYES_SHARE) / STEPS;
    for (let step = 0; this.#registry.size > 0; step = Math.min(step + 1, STEPS - 1)) {
      this.#sayGoodbye(goodbyesAt(step, STEPS, this.#registry.size));
      if (this.#registry.size > 0) await this.#pause(stepMs);
    }
    const leftMs = Math.max(0, timeoutMs - (this.#clock.monotonicMs() - startMs));
    const cut = await this.#lastBytes(leftMs);
    this.#listener?.destroy();
    await closed;
    return { cut, durationMs: this.#clock.monotonicMs() - startMs };
  }

  #sayGoodbye(count: number): void {
    const going: Connection[] = [];
    for (const connection of this.#registry) {
      if (going.length === count) break;
      going.push(connection);
    }
    for (const connection of going) connection.close(CloseReason.shutdown);
  }

  /** Waits until every socket is gone; destroys what is left after `withinMs`. */
  async #lastBytes(withinMs: number): Promise<number> {
    let cut = 0;
    using _deadline = this.#clock.after(withinMs, () => {
      cut = this.#registry.sockets;
      this.#registry.destroyAll();
    });
    // The clock's timers do not keep the process alive, and sockets that only wait might not either.
    using _alive = this.#stayAlive();
    await this.#registry.empty();
    return cut;
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => void this.#clock.after(ms, resolve));
  }
}

function stayAlive(): Disposable {
  const alive = setInterval(() => {}, 1000);
  return { [Symbol.dispose]: () => clearInterval(alive) };
}
