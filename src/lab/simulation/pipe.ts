import type { World } from "./world.ts";

/** How long what is sent takes, in milliseconds; asked for each piece. */
export type Latency = () => number;

/** One direction of a connection: what goes in comes out later, in its order. */
export class Pipe<Item> {
  readonly #world: World;
  readonly #latency: Latency;
  readonly #deliver: (item: Item) => void;
  readonly #queue: { readonly atMs: number; readonly item: Item }[] = [];
  #lastAtMs = 0;
  #silentUntilMs = 0;
  #isCut = false;

  constructor(world: World, latency: Latency, deliver: (item: Item) => void) {
    this.#world = world;
    this.#latency = latency;
    this.#deliver = deliver;
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  send(item: Item): void {
    if (this.#isCut) return;
    const { nowMs } = this.#world;
    const atMs = Math.max(this.#lastAtMs, nowMs + this.#latency());
    this.#lastAtMs = atMs;
    this.#queue.push({ atMs, item });
    if (this.#queue.length === 1) this.#arm();
  }

  /** Nothing comes out for a while; what is sent meanwhile comes then. */
  silence(untilMs: number): void {
    this.#silentUntilMs = Math.max(this.#silentUntilMs, untilMs);
  }

  /** What is under way is lost, and nothing more is taken. */
  cut(): void {
    this.#isCut = true;
    this.#queue.length = 0;
  }

  #arm(): void {
    const first = this.#queue[0];
    if (first === undefined) return;
    this.#world.time.at(Math.max(first.atMs, this.#silentUntilMs), () => this.#out());
  }

  #out(): void {
    const first = this.#queue[0];
    if (first === undefined) return;
    if (this.#world.nowMs < this.#silentUntilMs) {
      this.#arm();
      return;
    }
    this.#queue.shift();
    this.#deliver(first.item);
    this.#arm();
  }
}
