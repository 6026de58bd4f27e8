import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";

/** How long a process may take to answer or to end, in milliseconds: no benchmark hangs. */
const ANSWER_MS = 150_000;
const END_MS = 5000;

export interface ChildOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Which stream its answers come on; the other goes nowhere. Default `stdout`. */
  readonly answersOn?: "stdout" | "stderr";
}

/** A process that says JSON, one object a line. */
export class Child implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly #stream: Readable;
  readonly #lines: Interface;
  readonly #answers: AsyncIterator<string>;

  constructor([command, ...args]: readonly string[], options: ChildOptions = {}) {
    const answersOn = options.answersOn ?? "stdout";
    this.process = spawn(command as string, args, {
      env: { ...process.env, ...options.env },
      stdio: [
        "pipe",
        answersOn === "stdout" ? "pipe" : "ignore",
        answersOn === "stderr" ? "pipe" : "inherit",
      ],
    });
    this.process.stdin?.on("error", () => {});
    const stream = this.process[answersOn];
    if (stream === null) throw new Error(`${command}: no ${answersOn}`);
    this.#stream = stream;
    this.#lines = createInterface({ input: stream });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  get pid(): number {
    if (this.process.pid === undefined) throw new Error(`${this.process.spawnfile} could not be started`);
    return this.process.pid;
  }

  /** The next line, as the object it is. */
  async answer(): Promise<Record<string, unknown>> {
    const timer = setTimeout(() => this.process.kill("SIGKILL"), ANSWER_MS);
    const { value, done } = await this.#answers.next();
    clearTimeout(timer);
    if (done === true) throw new Error(`${this.process.spawnargs.join(" ")} ended without an answer`);
    return JSON.parse(value) as Record<string, unknown>;
  }

  /** Reads what it says from now on, and drops it. */
  ignoreAnswers(): void {
    this.#lines.close();
    this.#stream.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = once(this.process, "exit");
      this.process.kill("SIGTERM");
      const timer = setTimeout(() => this.process.kill("SIGKILL"), END_MS);
      await exited;
      clearTimeout(timer);
    }
    this.#lines.close();
  }
}
