import type { Clock } from "#base/clock.ts";
import { machineMs, noteText } from "./note.ts";
import { passed } from "./waiting.ts";

const LATE_MS_MAX = 1000;

/** Publishes numbered notes to one topic by the front door, and keeps the book of what was taken. */
export class Publisher {
  /** `machineMs` of each note's sending, by its number; the place 0 is empty. All of them were taken. */
  readonly sentMs: number[] = [0];
  readonly #url: string;
  readonly #headers: Record<string, string>;
  readonly #topic: string;
  readonly #clock: Clock;
  #isStopping = false;

  constructor(url: string, token: string, topic: string, clock: Clock) {
    this.#url = `${url}/.well-known/mercure`;
    this.#headers = { authorization: `Bearer ${token}` };
    this.#topic = topic;
    this.#clock = clock;
  }

  /** The last note's number. */
  get head(): number {
    return this.sentMs.length - 1;
  }

  /** @param bytes the note's length. Rejects when it was not taken. */
  async publish(bytes: number): Promise<void> {
    const sentMs = machineMs();
    const data = noteText({ number: this.head + 1, sentMs }, bytes);
    const response = await fetch(this.#url, {
      method: "POST",
      headers: this.#headers,
      body: new URLSearchParams({ topic: this.#topic, data }),
    });
    const answer = await response.text();
    if (response.status !== 200) throw new Error(`not published: ${response.status} ${answer}`);
    this.sentMs.push(sentMs);
  }

  /** One after the other, so many a second or as many as are taken, until `stop`. */
  async play(perSecond: number, bytes: number): Promise<void> {
    this.#isStopping = false;
    for (let dueMs = this.#clock.monotonicMs(); !this.#isStopping; dueMs += 1000 / perSecond) {
      await this.publish(bytes);
      const nowMs = this.#clock.monotonicMs();
      // What could not be sent for long is not made up for in a burst.
      if (nowMs - dueMs > LATE_MS_MAX) dueMs = nowMs;
      await passed(this.#clock, dueMs + 1000 / perSecond - nowMs);
    }
  }

  stop(): void {
    this.#isStopping = true;
  }
}
