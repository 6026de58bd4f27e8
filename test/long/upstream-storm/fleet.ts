import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { Envelope, FleetCommand, SubscriberGroup, Tally } from "./clients.ts";

const CLIENTS = fileURLToPath(new URL("./clients.ts", import.meta.url));

/** Thousands of subscribers in a process of their own, ended with its scope. */
export class Fleet implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #commandId = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", ({ id, body }: Envelope<unknown>) => {
      this.#waiting.get(id)?.resolve(body);
      this.#waiting.delete(id);
    });
    child.once("exit", (code, signal) => {
      const error = new Error(`the subscribers' process ended with ${code ?? signal}`);
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    });
  }

  static async open(gatewayUrl: string, token: string, seed: number): Promise<Fleet> {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const child = fork(CLIENTS, { execArgv: ["--conditions=streamkeeper-source"], env });
    const fleet = new Fleet(child);
    const { hostname, port } = new URL(gatewayUrl);
    await fleet.#ask({ do: "door", host: hostname, port: Number(port), token, seed });
    return fleet;
  }

  async enter(group: SubscriberGroup): Promise<void> {
    await this.#allIn({ do: "open", group });
  }

  async roam(): Promise<void> {
    await this.#ask({ do: "roam" });
  }

  async rest(): Promise<void> {
    await this.#allIn({ do: "rest" });
  }

  async leave(keys: readonly string[]): Promise<void> {
    await this.#ask({ do: "leave", keys });
  }

  async comeAnew(keys: readonly string[]): Promise<void> {
    await this.#allIn({ do: "come", keys });
  }

  /** How many lack a number when all have it, or when the time is over. */
  behind(number: number, withinMs: number): Promise<number> {
    return this.#ask({ do: "await", number, withinMs }) as Promise<number>;
  }

  tally(): Promise<Tally> {
    return this.#ask({ do: "tally" }) as Promise<Tally>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  async #allIn(command: FleetCommand): Promise<void> {
    const out = (await this.#ask(command)) as number;
    if (out > 0)
      throw new Error(`${out} subscribers did not get in: ${(await this.tally()).examples.join("; ")}`);
  }

  #ask(body: FleetCommand): Promise<unknown> {
    const id = ++this.#commandId;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(id, answer);
    this.#child.send({ id, body } satisfies Envelope<FleetCommand>);
    return answer.promise;
  }
}
