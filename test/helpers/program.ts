import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

export interface ProgramOptions {
  readonly cwd?: string;
  readonly stdin?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Most files and sockets that the system lets it open. Default: as this process. */
  readonly descriptorsMax?: number;
}

export interface Finished {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** `bin/streamkeeper` in a process of its own, killed at the end of its scope if it still runs. */
export class Program implements AsyncDisposable {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  readonly finished: Promise<Finished>;
  #changed = Promise.withResolvers<void>();
  #ended = false;

  constructor(args: readonly string[], options: ProgramOptions = {}) {
    const limit = options.descriptorsMax === undefined ? "" : `ulimit -n ${options.descriptorsMax}; `;
    this.child = spawn("sh", ["-c", `${limit}exec "$0" "$@"`, `${ROOT}bin/streamkeeper`, ...args], {
      cwd: options.cwd ?? ROOT,
      env: { ...process.env, NODE_OPTIONS: "", ...options.env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.child.stdin?.end(options.stdin ?? "");
    this.child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#take("stdout", text));
    this.child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#take("stderr", text));
    this.finished = new Promise((resolve) =>
      this.child.once("close", (status, signal) => {
        this.#ended = true;
        this.#changed.resolve();
        resolve({ status, signal, stdout: this.stdout, stderr: this.stderr });
      }),
    );
  }

  /** Resolves with the match once the output has it; fails when the program ends without. */
  async printed(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
      if (match !== null) return match;
      if (this.#ended) throw new Error(`ended without printing ${pattern}:\n${this.stdout}\n${this.stderr}`);
      this.#changed = Promise.withResolvers<void>();
      await this.#changed.promise;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) this.child.kill("SIGKILL");
    await this.finished;
  }

  #take(stream: "stdout" | "stderr", text: string): void {
    this[stream] += text;
    this.#changed.resolve();
  }
}

/** Runs the program to its end. */
export async function run(args: readonly string[], options?: ProgramOptions): Promise<Finished> {
  await using program = new Program(args, options);
  return await program.finished;
}
