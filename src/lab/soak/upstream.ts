import type { Clock, Timer } from "#base/clock.ts";
import { type Random, seededRandom } from "#base/random.ts";
import { type Answer, streamAnswer } from "../fault-feed/answer.ts";
import { type FaultFeed, openFaultFeed } from "../fault-feed/server.ts";
import { type FaultProxy, openFaultProxy } from "../fault-proxy/proxy.ts";
import { type SeededKind, seededScript } from "../fault-proxy/script.ts";
import type { PhaseKind } from "./plan.ts";

/** Events a second in ordinary life, over all keys, and factors of it. */
const RATE = 480;
const RATE_FACTORS: Partial<Record<PhaseKind, number>> = { flood: 6, churn: 0.5, outage: 0.5 };
/** How often events come to be. */
const BEAT_MS = 10;

const EVERY_KIND: readonly SeededKind[] = [
  "reset",
  "reset_inside_event",
  "reset_inside_character",
  "silence",
  "truncate",
  "truncate_inside_event",
];
const MOSTLY_RESETS: readonly SeededKind[] = [...EVERY_KIND, "reset", "reset", "reset", "reset"];

const BAD_ANSWERS: readonly Answer[] = [
  { kind: "status", status: 503 },
  { kind: "status", status: 502 },
  { kind: "status", status: 429 },
  { kind: "stream", events: 7, turn: "end" },
  { kind: "stream", events: 9, turn: "cut" },
  { kind: "stream", events: 11, turn: "silence" },
  { kind: "stream", turn: "garbage_chunk" },
  { kind: "no_head" },
];

/** What upstream looks like now. Counts since it was opened. */
export interface UpstreamSample {
  /** The number of the last event that came to be. */
  readonly head: number;
  readonly streams: number;
  readonly connections: number;
  /** Faults that were done to links, by kind. */
  readonly faults: Readonly<Record<string, number>>;
}

/** The feed of a soak, and the faults between it and the gateway. */
export class Upstream implements AsyncDisposable {
  readonly feed: FaultFeed;
  readonly #proxy: FaultProxy;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #seed: number;
  #badAnswers = 0;
  #badShare = 0;
  #outages = 0;
  #rate = 0;
  #owed = 0;
  #lastMs: number;
  #timer: Timer | null = null;
  #isOut = false;
  #isFaultless = false;

  private constructor(feed: FaultFeed, proxy: FaultProxy, seed: number, clock: Clock) {
    this.feed = feed;
    this.#proxy = proxy;
    this.#clock = clock;
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.#lastMs = clock.monotonicMs();
    feed.answers = () => {
      if (this.#random() >= this.#badShare) return streamAnswer;
      this.#badAnswers++;
      return BAD_ANSWERS[Math.floor(this.#random() * BAD_ANSWERS.length)] as Answer;
    };
    this.#beat();
  }

  static async open(keys: number, seed: number, clock: Clock): Promise<Upstream> {
    await using stack = new AsyncDisposableStack();
    // Filled up, so that events look like those of feeds, and the log is soon at its bound.
    const feed = stack.use(await openFaultFeed({ keys, heartbeatMs: 250, dataBytes: 160 }, clock));
    const proxy = stack.use(await openFaultProxy({ target: { port: feed.port } }, clock));
    stack.move();
    return new Upstream(feed, proxy, seed, clock);
  }

  /** Where the gateway's links go. */
  get port(): number {
    return this.#proxy.port;
  }

  /** Sequence numbers of the last event of each key's topic. */
  lastOfEach(): Record<string, number> {
    const { keys } = this.feed.events;
    const { head } = this.feed;
    return Object.fromEntries(
      keys.map((key, index) => [`/quotes/${key}`, Math.floor((head - index - 1) / keys.length) + 1]),
    );
  }

  /** How many events a second come to be from now on, and what happens to links, by the phase. */
  async enter(kind: PhaseKind): Promise<void> {
    this.#rate = kind === "calm" ? 0 : RATE * (RATE_FACTORS[kind] ?? 1);
    const wasFaultless = this.#isFaultless;
    this.#isFaultless = kind === "calm" || kind === "visits";
    this.#badShare = this.#isFaultless ? 0 : kind === "storm" ? 0.3 : 0.1;
    if (this.#isFaultless) {
      this.#proxy.script = () => [];
      // Faults that wait for their mark go with their connections.
      if (!wasFaultless) this.#proxy.inject({ do: "reset" });
    } else {
      const isStorm = kind === "storm";
      this.#proxy.script = seededScript(seededRandom(this.#seed + this.#proxy.stats().opened), {
        events: isStorm ? [5, 100] : [10, 220],
        kinds: isStorm ? EVERY_KIND : MOSTLY_RESETS,
      });
      this.#proxy.inject({ do: "reset" });
    }
    if (kind === "outage" && !this.#isOut) {
      this.#isOut = true;
      this.#outages++;
      await this.#proxy.refuse();
      this.#proxy.inject({ do: "reset" });
    } else if (kind !== "outage" && this.#isOut) {
      this.#isOut = false;
      await this.#proxy.accept();
    }
  }

  /** One more event of each key, so that a loss before it shows. */
  publishRound(): void {
    const { length } = this.feed.events.keys;
    this.feed.publish(length);
  }

  sample(): UpstreamSample {
    const { faults } = this.#proxy.stats();
    return {
      head: this.feed.head,
      streams: this.feed.streams,
      connections: this.feed.connections,
      faults: { ...faults, bad_answer: this.#badAnswers, outage: this.#outages },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    this.#rate = Number.NaN;
    await this.#proxy.close();
    await this.feed.close();
  }

  #beat(): void {
    if (Number.isNaN(this.#rate)) return;
    const nowMs = this.#clock.monotonicMs();
    this.#owed = Math.min(this.#owed + ((nowMs - this.#lastMs) / 1000) * this.#rate, this.#rate + 1);
    this.#lastMs = nowMs;
    const count = Math.floor(this.#owed);
    if (count > 0) {
      this.#owed -= count;
      this.feed.publish(count);
    }
    this.#timer = this.#clock.after(BEAT_MS, () => this.#beat());
  }
}
