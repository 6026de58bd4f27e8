import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Envelope } from "./crew-member.ts";

/**
 * Processes of clients. They are apart from the gateway, since their work must not slow it down, and from each other,
 * so that one has few enough sockets. Ended with its scope.
 */
export class Crew<Command> implements AsyncDisposable {
  readonly #members: readonly Member[];

  /** @param program a file that calls `serveCrew` */
  constructor(program: URL, size: number) {
    this.#members = Array.from({ length: size }, () => new Member(fileURLToPath(program)));
  }

  get size(): number {
    return this.#members.length;
  }

  /** Asks each of them, at the same time. */
  ask<Answer>(commandOf: Command | ((index: number) => Command)): Promise<Answer[]> {
    const of = typeof commandOf === "function" ? (commandOf as (index: number) => Command) : () => commandOf;
    return Promise.all(this.#members.map((member, index) => member.ask(of(index)) as Promise<Answer>));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#members.map((member) => member[Symbol.asyncDispose]()));
  }
}

class Member implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #id = 0;

  constructor(program: string) {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    this.#child = fork(program, { execArgv: ["--conditions=streamkeeper-source"], env });
    this.#child.on("message", ({ id, body, error }: Envelope) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(body);
      else waiting?.reject(new Error(error));
    });
    this.#child.once("exit", (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`${program} ended: ${code ?? signal}`));
      this.#waiting.clear();
    });
  }

  ask(body: unknown): Promise<unknown> {
    const id = ++this.#id;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#child.send({ id, body } satisfies Envelope);
    return answer.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}
