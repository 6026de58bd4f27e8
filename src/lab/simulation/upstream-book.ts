import type { FeedOrigin } from "./feed-origin.ts";
import { countIn } from "./reading.ts";
import type { World } from "./world.ts";

interface Place {
  n: number;
  /** Whether events may be missing before the next one. */
  mayJump: boolean;
}

/** Where each key of a feed stands, as its events enter the hub: none missing but where a gap was told, none twice. */
export class UpstreamBook {
  readonly #world: World;
  readonly #places = new Map<string, Place>();
  /** Of lives before: what their last event of a topic was, where the next life has its id. */
  readonly #resumes: Map<string, number>;
  readonly #begun = new Set<string>();
  readonly #gapsAtMs = new Map<string, number>();
  readonly #bornMs: number;

  constructor(world: World, resumes: ReadonlyMap<string, number>) {
    this.#world = world;
    this.#resumes = new Map(resumes);
    this.#bornMs = world.nowMs;
  }

  /** The number of the topic's last event in this life, or null. */
  lastOf(topic: string): number | null {
    return this.#places.get(topic)?.n ?? null;
  }

  /** The number of each topic's last event in this life; null: a gap was told after it, so that others may be missing. */
  *entries(): IterableIterator<readonly [string, number | null]> {
    for (const [topic, { n, mayJump }] of this.#places) yield [topic, mayJump ? null : n];
  }

  /** When a gap was last told on the topic, in milliseconds of the run. */
  gapAtMs(topic: string): number {
    return this.#gapsAtMs.get(topic) ?? Number.NEGATIVE_INFINITY;
  }

  /** A gap was told on the topic. */
  gap(topic: string): void {
    this.#gapsAtMs.set(topic, this.#world.nowMs);
    this.#resumes.delete(topic);
    const place = this.#places.get(topic);
    if (place !== undefined) place.mayJump = true;
  }

  /** The topic was asked for, which nobody had held. Only the first time goes on where the life before stood. */
  begun(topic: string): void {
    if (this.#begun.has(topic)) this.gap(topic);
    this.#begun.add(topic);
    const place = this.#places.get(topic);
    if (place !== undefined) place.mayJump = true;
  }

  event(origin: FeedOrigin, topic: string, data: string): void {
    const n = countIn(data);
    const place = this.#places.get(topic);
    if (place === undefined) {
      this.#places.set(topic, { n, mayJump: false });
      this.#world.note("first", topic, n);
      const before = this.#resumes.get(topic);
      if (before === undefined || n <= before + 1 || origin.rejectedAtMs >= this.#bornMs) return;
      if (origin.hasForgotten(topic.slice(topic.lastIndexOf("/") + 1), before)) return;
      this.#world.breaks("restart", `${topic} goes on at ${n}; it stood at ${before} in the life before`);
      return;
    }
    if (n <= place.n) {
      this.#world.breaks("doubled", `${topic} ${n} came from the feed after ${place.n}`);
    } else if (n > place.n + 1 && !place.mayJump) {
      this.#world.breaks("lost", `${topic} ${n} came from the feed after ${place.n}, and no gap was told`);
    }
    this.#world.note("published", topic, n);
    place.n = n;
    place.mayJump = false;
  }
}
