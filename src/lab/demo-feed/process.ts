import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Clock } from "#base/clock.ts";

export interface DemoFeedProcessOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Of each symbol. Default 10. */
  readonly eventsPerSecond?: number;
  /** About how often a connection is reset, in seconds; 0: never. Default 30. */
  readonly resetSeconds?: number;
}

/** The demo feed in a process of its own, which ends with this one, however this one ends. */
export interface DemoFeedProcess extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** URL template of its quotes, for a feed's configuration. */
  readonly url: string;
  /** Resolves when the process has ended: with its exit status, or null after a signal. */
  readonly ended: Promise<number | null>;
  /** Ends it: SIGTERM, and SIGKILL after two seconds. Idempotent. */
  close(): Promise<void>;
}

/** Starting takes a fraction of a second; a machine on which it takes longer than this is in trouble. */
const START_MS_MAX = 10_000;
const CLOSE_MS_MAX = 2000;

/** Starts the process and waits until it listens. */
export async function startDemoFeed(
  clock: Clock,
  options: DemoFeedProcessOptions = {},
): Promise<DemoFeedProcess> {
  const unbuilt = import.meta.url.endsWith(".ts");
  const child = fork(
    fileURLToPath(new URL(unbuilt ? "./main.ts" : "./main.js", import.meta.url)),
    [
      `--port=${options.port ?? 0}`,
      `--events-per-second=${options.eventsPerSecond ?? 10}`,
      `--reset-seconds=${options.resetSeconds ?? 30}`,
    ],
    {
      execArgv: unbuilt ? ["--conditions=streamkeeper-source"] : [],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    },
  );
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  try {
    const port = await listening(child, ended, clock);
    let closing: Promise<void> | null = null;
    const close = () => {
      closing ??= end(child, ended, clock);
      return closing;
    };
    const url = `http://127.0.0.1:${port}/quotes?symbols={keys}`;
    return { port, pid: child.pid as number, url, ended, close, [Symbol.asyncDispose]: close };
  } catch (thrown) {
    child.kill("SIGKILL");
    throw thrown;
  }
}

async function listening(child: ChildProcess, ended: Promise<number | null>, clock: Clock): Promise<number> {
  return await new Promise<number>((resolve, reject) => {
    const fail = (why: string) => reject(new Error(`the demo feed ${why}`));
    const deadline = clock.after(START_MS_MAX, () => fail(`did not start within ${START_MS_MAX / 1000} s`));
    child.once("message", (message) => {
      deadline.cancel();
      resolve((message as { port: number }).port);
    });
    child.once("error", reject);
    ended.then((status) => {
      deadline.cancel();
      fail(`ended at its start, with status ${status}`);
    });
  });
}

async function end(child: ChildProcess, ended: Promise<number | null>, clock: Clock): Promise<void> {
  child.kill("SIGTERM");
  using _hard = clock.after(CLOSE_MS_MAX, () => child.kill("SIGKILL"));
  await ended;
}
