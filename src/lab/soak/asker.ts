import type { ChildProcess } from "node:child_process";
import type { Clock } from "#base/clock.ts";
import type { Envelope } from "./fleet-protocol.ts";

/** Asks a child process over its IPC channel, each question with one answer or an error. */
export class Asker {
  readonly #child: ChildProcess;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #id = 0;

  /** @param name what the child is called in errors */
  constructor(child: ChildProcess, name: string, clock: Clock) {
    this.#child = child;
    this.#name = name;
    this.#clock = clock;
    child.on("message", ({ id, body }: Envelope<unknown>) => {
      this.#waiting.get(id)?.resolve(body);
      this.#waiting.delete(id);
    });
    child.once("exit", (status, signal) => {
      const error = new Error(`${name} ended, by ${signal ?? `status ${status}`}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  /** @throws when the child ends, or does not answer within the time */
  async ask<Answer>(body: unknown, withinMs = 60_000): Promise<Answer> {
    if (!this.#child.connected) throw new Error(`${this.#name} has ended`);
    const id = ++this.#id;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    using _deadline = this.#clock.after(withinMs, () =>
      answer.reject(new Error(`${this.#name} did not answer within ${withinMs} ms`)),
    );
    // Without this a channel that breaks meanwhile would be an error of the child that nobody listens for.
    this.#child.send({ id, body } satisfies Envelope<unknown>, (error) => {
      if (error !== null) answer.reject(error);
    });
    try {
      return (await answer.promise) as Answer;
    } finally {
      this.#waiting.delete(id);
    }
  }
}
