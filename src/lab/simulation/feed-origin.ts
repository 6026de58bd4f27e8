import type { Chance } from "./chance.ts";
import type { FeedPlan } from "./scenario.ts";
import type { World } from "./world.ts";

/** How long a feed that has ids can resume, in milliseconds: longer than any outage of a run, but not than a key may go unasked for. */
const HISTORY_MS = 12 * 3_600_000;
/** How long after its last trouble a feed's events must come again without fail. */
export const FEED_CALM_MS = 300_000;

/** An event that a feed has sent. */
export interface Emission {
  /** Over all keys of the feed, from 1; its id, where it has ids. */
  readonly serial: number;
  readonly atMs: number;
  readonly items: readonly Item[];
}

export interface Item {
  readonly key: string;
  /** Of the key, from 1. */
  readonly n: number;
  /** As it stands in the event. */
  readonly text: string;
}

/** How a feed answers requests for now. */
export type FeedMood =
  | { readonly kind: "well" }
  | { readonly kind: "down" }
  | { readonly kind: "mute" }
  | { readonly kind: "moved" }
  | { readonly kind: "status"; readonly status: number; readonly retryAfterS: number | null };

/** A stream that is open to the feed. */
export interface FeedStream {
  /** Null: all. */
  readonly keys: ReadonlySet<string> | null;
  send(bytes: Buffer): void;
  silence(untilMs: number): void;
  /** Reset, or ended in an orderly way. */
  over(how: "reset" | "ended"): void;
}

/** A feed's server: sends events whether or not anybody asks, and remembers what it has sent. */
export class FeedOrigin {
  readonly plan: FeedPlan;
  readonly streams = new Set<FeedStream>();
  readonly #world: World;
  readonly #chance: Chance;
  readonly #history: Emission[] = [];
  /** When each event of a key was sent. */
  readonly #times = new Map<string, number[]>();
  readonly #rejected = new Map<string, number>();
  #serial = 0;
  #mood: FeedMood = { kind: "well" };
  #moodUntilMs = 0;
  #muteUntilMs = 0;
  #isStopped = false;
  /** When something was last wrong with it, or is to be until then. */
  troubledAtMs = Number.NEGATIVE_INFINITY;
  /** When it last rejected a request, or will: then it is asked without an id as well. */
  rejectedAtMs = Number.NEGATIVE_INFINITY;

  constructor(world: World, plan: FeedPlan) {
    this.#world = world;
    this.plan = plan;
    this.#chance = world.chance("origin", plan.name);
    this.#next();
    this.#comment();
  }

  get mood(): FeedMood {
    return this.#world.nowMs < this.#moodUntilMs ? this.#mood : WELL;
  }

  get lastSerial(): number {
    return this.#serial;
  }

  /** Events of the key so far. */
  countOf(key: string): number {
    return this.#times.get(key)?.length ?? 0;
  }

  /** The key's newest event that is at least so old; 0 without one. */
  countBefore(key: string, beforeMs: number): number {
    const times = this.#times.get(key) ?? [];
    let [low, high] = [0, times.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((times[middle] as number) <= beforeMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Whether it can't send any more what came after the key's event of a number: nobody asked for it for too long. */
  hasForgotten(key: string, n: number): boolean {
    const nextAtMs = this.#times.get(key)?.[n];
    return nextAtMs !== undefined && nextAtMs < this.#world.nowMs - HISTORY_MS;
  }

  isRejected(key: string): boolean {
    return (this.#rejected.get(key) ?? 0) > this.#world.nowMs;
  }

  /** A request was accepted: what it resumes, and what comes from now on. */
  attach(stream: FeedStream, afterSerial: number | null): void {
    if (this.#world.nowMs < this.#muteUntilMs) stream.silence(this.#muteUntilMs);
    this.streams.add(stream);
    stream.send(Buffer.from(": hello\n\n"));
    if (afterSerial === null) return;
    for (const emission of this.#history) if (emission.serial > afterSerial) this.#sendTo(stream, emission);
  }

  // What befalls it.

  feels(mood: FeedMood, forMs: number): void {
    this.#mood = mood;
    this.#moodUntilMs = this.#world.nowMs + forMs;
    const rejects = mood.kind === "status" && mood.status < 429;
    if (rejects) this.rejectedAtMs = Math.max(this.rejectedAtMs, this.#moodUntilMs);
    this.#troubled(forMs);
    if (mood.kind !== "mute") return;
    this.#muteUntilMs = this.#moodUntilMs;
    for (const stream of this.streams) stream.silence(this.#muteUntilMs);
  }

  rejects(key: string, forMs: number): void {
    this.#rejected.set(key, this.#world.nowMs + forMs);
    this.rejectedAtMs = Math.max(this.rejectedAtMs, this.#world.nowMs + forMs);
    this.#troubled(forMs);
  }

  /** Something is wrong on the way to it. */
  isTroubled(): void {
    this.#troubled(0);
  }

  /** Cuts some of its streams, all at once. */
  cuts(share: number, how: "reset" | "ended"): void {
    this.#troubled(0);
    for (const stream of this.#chance.some([...this.streams], Math.ceil(share * this.streams.size)))
      stream.over(how);
  }

  /** Many events within a second or two, of one key or of any. */
  floods(events: number, bytes: number, key: string | null = null): void {
    for (let at = 0; at < events; at++) {
      this.#world.time.in(at * 3, () => {
        if (key === null) this.#emit(bytes);
        else if (!this.#isStopped) this.#emitOf([key], bytes);
      });
    }
  }

  /** Events of each of its keys, once. */
  speak(): void {
    for (const key of this.plan.keys) this.#emitOf([key], 10);
  }

  /** No events from now on. */
  stop(): void {
    this.#isStopped = true;
  }

  #troubled(forMs: number): void {
    this.troubledAtMs = Math.max(this.troubledAtMs, this.#world.nowMs + forMs);
  }

  #next(): void {
    const { everyMs } = this.plan;
    const isBurst = this.#chance.happens(0.08);
    const waitMs = isBurst ? this.#chance.between(1, 80) : this.#chance.between(everyMs / 10, everyMs * 1.9);
    this.#world.time.in(waitMs, () => {
      if (this.#isStopped) return;
      this.#emit(this.#chance.whole(5, 60));
      this.#next();
    });
  }

  #comment(): void {
    this.#world.time.in(this.plan.commentEveryMs, () => {
      for (const stream of this.streams) stream.send(COMMENT);
      if (!this.#isStopped || this.streams.size > 0) this.#comment();
    });
  }

  #emit(bytes: number): void {
    const { keys, settings } = this.plan;
    if (this.#isStopped) return;
    this.#emitOf(
      settings.items === null ? [this.#chance.pick(keys)] : this.#chance.some(keys, this.#chance.whole(1, 3)),
      bytes,
    );
  }

  #emitOf(keys: readonly string[], bytes: number): void {
    const { nowMs } = this.#world;
    const items = keys.map((key) => {
      const n = this.countOf(key) + 1;
      this.#timesOf(key).push(nowMs);
      const topic = this.plan.settings.topic.replace("{key}", key);
      return { key, n, text: JSON.stringify({ topic, key, n, pad: "x".repeat(bytes) }) };
    });
    const emission = { serial: ++this.#serial, atMs: nowMs, items };
    this.#history.push(emission);
    while ((this.#history[0] as Emission).atMs < nowMs - HISTORY_MS) this.#history.shift();
    for (const stream of this.streams) this.#sendTo(stream, emission);
  }

  #timesOf(key: string): number[] {
    let times = this.#times.get(key);
    if (times === undefined) {
      times = [];
      this.#times.set(key, times);
    }
    return times;
  }

  #sendTo(stream: FeedStream, { serial, items }: Emission): void {
    const wanted = items.filter(({ key }) => stream.keys === null || stream.keys.has(key));
    if (wanted.length === 0) return;
    const texts = wanted.map(({ text }) => text);
    const data = this.plan.settings.items === null ? texts[0] : `{"items":[${texts.join(",")}]}`;
    stream.send(Buffer.from(`${this.plan.hasIds ? `id: ${serial}\n` : ""}data: ${data}\n\n`));
  }
}

const WELL: FeedMood = { kind: "well" };
const COMMENT = Buffer.from(": still here\n\n");
