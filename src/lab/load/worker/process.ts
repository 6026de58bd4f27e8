import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FleetSample, Published, PublishersSample, Question, Settled } from "./messages.ts";

/** How long a worker may take to end once it is told to. */
const END_MS_MAX = 3000;

/** A worker process. It ends with this one, however this one ends. */
export class WorkerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #ended: Promise<void>;
  #id = 0;
  #isOver = false;

  constructor() {
    const unbuilt = import.meta.url.endsWith(".ts");
    this.#child = fork(fileURLToPath(new URL(unbuilt ? "./main.ts" : "./main.js", import.meta.url)), [], {
      execArgv: unbuilt ? ["--conditions=streamkeeper-source"] : [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      serialization: "advanced",
    });
    this.#child.on("message", (message) => this.#take(message as Answer));
    this.#ended = new Promise((resolve) => {
      this.#child.once("exit", (status, signal) => {
        this.#isOver = true;
        const why = new Error(`a worker of the load ended with ${signal ?? `status ${status}`}`);
        for (const { reject } of this.#waiting.values()) reject(why);
        this.#waiting.clear();
        resolve();
      });
      this.#child.once("error", () => resolve());
    });
  }

  ask(question: Extract<Question, { ask: "fleet" | "publishers" | "begin" }>): Promise<void>;
  ask(question: Extract<Question, { ask: "sample" }>): Promise<FleetSample | PublishersSample>;
  ask(question: Extract<Question, { ask: "stop" }>): Promise<Published>;
  ask(question: Extract<Question, { ask: "settle" }>): Promise<Settled>;
  /** Throws when the worker ends before it has answered. */
  async ask(question: Question): Promise<unknown> {
    if (this.#isOver) throw new Error("a worker of the load has ended");
    const id = ++this.#id;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#child.send({ id, question }, (error) => {
      if (error !== null) answer.reject(error);
    });
    return await answer.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its sockets close as the system closes them, at once.
    if (this.#child.connected) this.#child.disconnect();
    const hard = setTimeout(() => this.#child.kill("SIGKILL"), END_MS_MAX);
    await this.#ended;
    clearTimeout(hard);
  }

  #take({ id, value, fault }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (fault === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(fault));
  }
}

interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly fault?: string;
}
