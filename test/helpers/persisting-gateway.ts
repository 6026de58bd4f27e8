import { mkdirSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { Program, run } from "./program.ts";

/** `bin/streamkeeper serve` with its log on disk, on one port life after life. */
export class PersistingGateway implements AsyncDisposable {
  readonly url: string;
  readonly #file: string;
  #program: Program | null = null;
  #token = "";

  private constructor(url: string, file: string) {
    this.url = url;
    this.#file = file;
  }

  /** @param feeds the section of that name, as YAML */
  static async start(directory: string, feeds = "{}"): Promise<PersistingGateway> {
    mkdirSync(directory, { recursive: true });
    const port = await freePort();
    const file = join(directory, "streamkeeper.yaml");
    writeFileSync(
      file,
      `listen: { port: ${port} }
database: sqlite:gateway.db
log: { persist: log }
auth:
  anonymous: { subscribe: [/public/*] }
  roles: { ingest: { publish: [/public/*] } }
drain: { timeout: 2s }
feeds: ${feeds}
`,
    );
    const gateway = new PersistingGateway(`http://127.0.0.1:${port}`, file);
    gateway.#token = (await run(["token", "--role", "ingest", "-c", file])).stdout.trim();
    await gateway.start();
    return gateway;
  }

  /** The next life. */
  async start(): Promise<void> {
    this.#program = new Program(["serve", "-c", this.#file]);
    await this.#program.printed(/"url":"http:/);
  }

  /** Ends it; resolves with the exit status when it has. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<number | null> {
    const program = this.#program as Program;
    this.#program = null;
    program.child.kill(signal);
    return (await program.finished).status;
  }

  /** How the life before this one ended, as the log tells. */
  async before(): Promise<string> {
    const [, before] = await (this.#program as Program).printed(/"before":"(\w+)"/);
    return before as string;
  }

  /** Publishes, as often as it takes; resolves when it was accepted. Between two lives nobody listens. */
  async publish(topic: string, data: unknown): Promise<void> {
    for (;;) {
      try {
        const response = await fetch(`${this.url}/.well-known/mercure`, {
          method: "POST",
          headers: { authorization: `Bearer ${this.#token}`, connection: "close" },
          body: new URLSearchParams({ topic, data: JSON.stringify(data) }),
        });
        if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
        await response.arrayBuffer();
        return;
      } catch (error) {
        // Nobody listens, or nobody does any more: a drain answers every request that it has read.
        const code = ((error as Error).cause as { code?: string } | undefined)?.code;
        if (code === undefined || !NOT_TAKEN.has(code)) throw error;
      }
    }
  }

  /** Resolves once every event that was given out is in the files. */
  async written(): Promise<void> {
    for (;;) {
      const metrics = await (await fetch(`${this.url}/metrics`)).text();
      if (/^streamkeeper_log_disk_behind_events 0$/m.test(metrics)) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const NOT_TAKEN: ReadonlySet<string> = new Set(["ECONNREFUSED", "ECONNRESET", "UND_ERR_SOCKET"]);
