import { Child } from "./child.ts";
import { type Machine, processTree } from "./machine.ts";

/** What one command of the load client counted. */
export interface Counted {
  readonly sent: number;
  readonly deliveries: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly seconds: number;
  readonly ready: number;
  readonly failed: number;
}

/** How clients are opened: what each of them sends (see `records.ts`), and what tells that it is ready. */
export interface Opening {
  readonly port: number;
  readonly file: string;
  /** Text without spaces, behind the response's head; "-": the head is enough. */
  readonly marker: string;
}

/** `load/load.c`: the feed that publishes, and the clients that receive. */
export class Loader implements AsyncDisposable {
  readonly feedPort: number;
  readonly #child: Child;

  private constructor(child: Child, feedPort: number) {
    this.#child = child;
    this.feedPort = feedPort;
  }

  static async start(machine: Machine): Promise<Loader> {
    const child = new Child(machine.pin(1, [machine.build("load/load.c")]));
    return new Loader(child, Number((await child.answer()).feedPort));
  }

  /** Opens clients and holds them. Throws unless all are let in. */
  async open(count: number, { port, marker, file }: Opening, parallel = 100): Promise<Counted> {
    return all(count, await this.#ask(`open ${count} ${parallel} ${port} ${marker} ${file}`));
  }

  /** Opens clients and closes each once it is ready. */
  async churn(count: number, { port, marker, file }: Opening, parallel = 100): Promise<Counted> {
    return all(count, await this.#ask(`churn ${count} ${parallel} ${port} ${marker} ${file}`));
  }

  /** From now on publishes by POST. */
  async post(port: number, path: string): Promise<void> {
    await this.#ask(`post ${port} ${path}`);
  }

  /** Publishes at a fixed rate, `burst` at a time. */
  rate(eventsPerS: number, burst: number, ms: number): Promise<Counted> {
    return this.#ask(`rate ${eventsPerS} ${burst} ${ms} 0`);
  }

  /** Publishes as fast as `events` under way allow. */
  window(events: number, ms: number): Promise<Counted> {
    return this.#ask(`window ${events} ${ms}`);
  }

  /** Publishes as fast as the feed's reader takes it, to the topics s1 to s`topics` in turn. */
  flood(ms: number, topics: number): Promise<Counted> {
    return this.#ask(`flood ${ms} ${topics}`);
  }

  /** Waits for deliveries that have begun with `open`. */
  await(deliveries: number, msMax: number): Promise<Counted> {
    return this.#ask(`await ${deliveries} ${msMax}`);
  }

  /** CPU time of a process and its children, user and kernel together, in microseconds. */
  async cpuUs(pid: number): Promise<number> {
    const { cpuUs } = await this.#answer(`cpu ${processTree(pid).join(" ")}`);
    return Number(cpuUs);
  }

  close(): Promise<Counted> {
    return this.#ask("close");
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#child[Symbol.asyncDispose]();
  }

  async #ask(command: string): Promise<Counted> {
    return (await this.#answer(command)) as unknown as Counted;
  }

  #answer(command: string): Promise<Record<string, unknown>> {
    this.#child.process.stdin?.write(`${command}\n`);
    return this.#child.answer();
  }
}

function all(count: number, counted: Counted): Counted {
  if (counted.ready !== count)
    throw new Error(`${counted.ready} of ${count} clients were let in, ${counted.failed} failed`);
  return counted;
}
