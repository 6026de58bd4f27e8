import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, type WriteStream } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import type { DoorGreeting, DoorQuestion, InsideSample } from "../leaks/door-protocol.ts";
import type { SeededLeak } from "../leaks/seed-names.ts";
import { Asker } from "./asker.ts";
import type { Envelope } from "./fleet-protocol.ts";

export interface GatewayProcessOptions {
  /** Its configuration. */
  readonly file: string;
  /** Its log lines go to the end of this file. */
  readonly logFile: string;
  readonly seedLeak: SeededLeak | null;
}

/** As `bin/streamkeeper` starts it. All of it, or the program would start itself anew, and lose the door's channel. */
const NODE_OPTIONS = ["--max-semi-space-size=4", "--heap-growing-percent=30"];
const ENVIRONMENT = {
  MALLOC_ARENA_MAX: "2",
  MALLOC_MMAP_THRESHOLD_: "131072",
  MALLOC_TRIM_THRESHOLD_: "131072",
} as const;
const START_MS_MAX = 30_000;
const SNAPSHOT_MS_MAX = 300_000;
const LOG_BYTES_MAX = 64 << 20;
/** Lines of the log that are kept to be shown. */
const ERRORS_MAX = 20;

/** The gateway did not start, or did not answer: what a soak is there to find, and no failure of the soak. */
export class GatewayError extends Error {}

/** How a gateway's process ended. */
export interface GatewayEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A gateway in a process of its own, `serve` with a file as users start it, and the lab's door open. */
export class GatewayProcess implements AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly ended: Promise<GatewayEnd>;
  /** The first lines of its log at level `error` and above. */
  readonly errors: string[] = [];
  readonly #child: ChildProcess;
  readonly #asker: Asker;
  readonly #clock: Clock;

  private constructor(child: ChildProcess, url: string, clock: Clock) {
    this.#child = child;
    this.#clock = clock;
    this.url = url;
    this.pid = child.pid as number;
    this.ended = new Promise((resolve) =>
      child.once("exit", (status, signal) => resolve({ status, signal })),
    );
    this.#asker = new Asker(child, "the gateway", clock);
  }

  /**
   * Starts it and waits until it listens.
   *
   * @throws GatewayError
   */
  static async start(options: GatewayProcessOptions, clock: Clock): Promise<GatewayProcess> {
    const isUnbuilt = import.meta.url.endsWith(".ts");
    const urlOf = (unbuilt: string, built: string) => new URL(isUnbuilt ? unbuilt : built, import.meta.url);
    const preloads = [urlOf("../leaks/door.ts", "../leaks/door.js")];
    if (options.seedLeak !== null) preloads.push(urlOf("../leaks/seeds.ts", "../leaks/seeds.js"));
    const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, ...env } = process.env;
    const child = spawn(
      process.execPath,
      [
        ...NODE_OPTIONS,
        "--expose-gc",
        "--disable-warning=ExperimentalWarning",
        ...(isUnbuilt ? ["--conditions=streamkeeper-source"] : []),
        ...preloads.flatMap(({ href }) => ["--import", href]),
        fileURLToPath(new URL(`../../cli/main.${isUnbuilt ? "ts" : "js"}`, import.meta.url)),
        "serve",
        "-c",
        options.file,
      ],
      {
        // A group of its own: the terminal's Ctrl-C is for the soak, which then drains it.
        detached: true,
        stdio: ["ignore", "ignore", "pipe", "ipc"],
        env: {
          ...ENVIRONMENT,
          ...env,
          STREAMKEEPER_LOG: "warn",
          STREAMKEEPER_LAB: "1",
          ...(options.seedLeak === null ? {} : { STREAMKEEPER_SEED_LEAK: options.seedLeak }),
        },
      },
    );
    const log = keepLog(child, options.logFile);
    let lastWords = "";
    log.onError = (line) => {
      lastWords = line;
    };
    try {
      const { url } = await greeting(child, clock);
      const gateway = new GatewayProcess(child, url, clock);
      log.onError = (line) => {
        if (gateway.errors.length < ERRORS_MAX) gateway.errors.push(line);
      };
      return gateway;
    } catch (thrown) {
      child.kill("SIGKILL");
      const words = lastWords === "" ? "" : `; its last words: ${lastWords}`;
      throw new GatewayError(`${messageOf(thrown)}${words}`, { cause: thrown });
    }
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Asks it for a look inside, after a forced collection.
   *
   * @param turn which class's objects are to be counted, each in its turn; null: none
   * @throws GatewayError
   */
  async sample(turn: number | null): Promise<InsideSample> {
    return await this.#ask<InsideSample>({ do: "sample", turn });
  }

  /**
   * Has it write a heap snapshot.
   *
   * @throws GatewayError
   */
  async snapshot(file: string): Promise<void> {
    await this.#ask({ do: "snapshot", file }, SNAPSHOT_MS_MAX);
  }

  signal(signal: "SIGHUP" | "SIGTERM" | "SIGKILL"): void {
    this.#child.kill(signal);
  }

  /** Drains it. Resolves with how it ended, by force if it takes longer than it may. */
  async drain(withinMs: number): Promise<GatewayEnd> {
    if (this.isRunning) this.signal("SIGTERM");
    using _deadline = this.#clock.after(withinMs, () => this.#child.kill("SIGKILL"));
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.isRunning) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  async #ask<Answer>(question: DoorQuestion, withinMs?: number): Promise<Answer> {
    try {
      return await this.#asker.ask<Answer>(question, withinMs);
    } catch (thrown) {
      throw new GatewayError(messageOf(thrown), { cause: thrown });
    }
  }
}

async function greeting(child: ChildProcess, clock: Clock): Promise<DoorGreeting> {
  return await new Promise<DoorGreeting>((resolve, reject) => {
    const deadline = clock.after(START_MS_MAX, () =>
      reject(new Error(`the gateway did not listen within ${START_MS_MAX / 1000} s`)),
    );
    child.once("message", ({ body }: Envelope<DoorGreeting>) => {
      deadline.cancel();
      resolve(body);
    });
    child.once("error", reject);
    // Not at its exit: what it wrote before may still be under way then.
    child.once("close", (status, signal) => {
      deadline.cancel();
      reject(
        new Error(`the gateway ended at its start, by ${signal ?? `status ${status}`}; see gateway.log`),
      );
    });
  });
}

/** Keeps the child's log in a file, within a bound, and picks out its errors. */
function keepLog(child: ChildProcess, file: string): { onError: (line: string) => void } {
  const stream: WriteStream = createWriteStream(file, { flags: "a" });
  const kept = { onError: (_line: string) => {} };
  let bytes = 0;
  let rest = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    if (bytes < LOG_BYTES_MAX) {
      bytes += text.length;
      stream.write(text);
    }
    const lines = (rest + text).split("\n");
    rest = (lines.pop() as string).slice(0, 65_536);
    for (const line of lines) if (!WARNING.test(line)) kept.onError(line.slice(0, 1000));
  });
  child.stderr?.once("close", () => stream.end());
  return kept;
}

/** Warnings are what a soak makes of purpose. Any other line is an error, or what a dying process writes. */
const WARNING = /"level":"warn"/;
