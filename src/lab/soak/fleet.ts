import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Clock } from "#base/clock.ts";
import { Asker } from "./asker.ts";
import type { Door } from "./client.ts";
import type { FleetCommand } from "./fleet-protocol.ts";
import type { FleetReport } from "./fleet-tally.ts";

/** A soak's clients, in a process of their own that ends with its scope. */
export class Fleet implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #asker: Asker;

  constructor(clock: Clock) {
    const isUnbuilt = import.meta.url.endsWith(".ts");
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    this.#child = fork(
      fileURLToPath(new URL(isUnbuilt ? "./fleet-process.ts" : "./fleet-process.js", import.meta.url)),
      {
        execArgv: isUnbuilt ? ["--conditions=streamkeeper-source"] : [],
        env,
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      },
    );
    this.#asker = new Asker(this.#child, "the clients' process", clock);
  }

  async begin(topics: readonly string[], keys: readonly string[], seed: number): Promise<void> {
    await this.#ask({ do: "begin", topics, keys, seed });
  }

  /** Where the gateway is from now on; null: nowhere. */
  async point(door: Door | null): Promise<void> {
    await this.#ask({ do: "door", door });
  }

  /** @param perSecond visits begun each second; 0: all visitors leave */
  async turnover(perSecond: number): Promise<void> {
    await this.#ask({ do: "turnover", perSecond });
  }

  /** Whether witnesses that roam leave now and then; else they stay. */
  async roam(isRoaming: boolean): Promise<void> {
    await this.#ask({ do: "roam", isRoaming });
  }

  /** How many witnesses lack the last event of their topic when all have it, or when the time is over. */
  async behind(last: Readonly<Record<string, number>>, withinMs: number): Promise<number> {
    return await this.#asker.ask<number>(
      { do: "await", last, withinMs } satisfies FleetCommand,
      withinMs + 30_000,
    );
  }

  async report(): Promise<FleetReport> {
    return await this.#asker.ask<FleetReport>({ do: "report" } satisfies FleetCommand);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  async #ask(command: FleetCommand): Promise<void> {
    await this.#asker.ask(command);
  }
}
