import type { Clock, Timer } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import { type Answered, ask } from "./ask.ts";
import type { Door } from "./client.ts";

/** How often, and how long an answer may take, in milliseconds. */
const EVERY_MS = 100;
const WITHIN_MS = 10_000;
const TROUBLES_MAX = 20;

/**
 * Publishes numbered events to one topic, one at a time. A number whose request failed is not used again: whether it
 * was published cannot be known, so its absence and its presence are both right.
 */
export class Publisher implements Disposable {
  readonly topic: string;
  /** Numbers of which nobody knows whether they were published. */
  readonly unsure = new Set<number>();
  /** Answers other than 2xx, with how often. */
  readonly refusals: Record<string, number> = {};
  confirmed = 0;
  #last: number;
  #lastConfirmed = 0;
  readonly #clock: Clock;
  readonly #door: () => Door | null;
  #timer: Timer | null = null;
  #isOver = false;
  #isPaused = false;
  #underWay: Promise<void> = Promise.resolve();

  /** @param last the number before the first */
  constructor(topic: string, last: number, door: () => Door | null, clock: Clock) {
    this.topic = topic;
    this.#last = last;
    this.#door = door;
    this.#clock = clock;
    this.#arm();
  }

  /** The last number that was tried. */
  get last(): number {
    return this.#last;
  }

  /** The last number that is known to have been published. */
  get lastConfirmed(): number {
    return this.#lastConfirmed;
  }

  /** Publishes no more until `resume`. Resolves when nothing is under way. */
  async pause(): Promise<void> {
    this.#isPaused = true;
    await this.#underWay;
  }

  resume(): void {
    this.#isPaused = false;
  }

  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  #arm(): void {
    if (this.#isOver) return;
    this.#timer = this.#clock.after(EVERY_MS, () => {
      this.#underWay = this.#publish().finally(() => this.#arm());
    });
  }

  async #publish(): Promise<void> {
    const door = this.#door();
    if (door === null || this.#isPaused) return;
    const number = ++this.#last;
    const body = new URLSearchParams({ topic: this.topic, data: JSON.stringify({ seq: number }) }).toString();
    let trouble: string;
    try {
      const { status }: Answered = await ask(
        door,
        "POST",
        "/.well-known/mercure",
        body,
        WITHIN_MS,
        this.#clock,
      );
      if (status >= 200 && status < 300) {
        this.confirmed++;
        this.#lastConfirmed = number;
        return;
      }
      trouble = String(status);
    } catch (thrown) {
      trouble = messageOf(thrown).slice(0, 100);
    }
    this.unsure.add(number);
    if (trouble in this.refusals || Object.keys(this.refusals).length < TROUBLES_MAX)
      this.refusals[trouble] = (this.refusals[trouble] ?? 0) + 1;
  }
}
