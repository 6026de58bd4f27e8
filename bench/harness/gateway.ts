import { mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { signAccessToken } from "#auth/access-token.ts";
import { openSigningKeys } from "#auth/signing-keys.ts";
import { silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import { loadConfig } from "#config/load.ts";
import { openStorage } from "#storage/storage.ts";
import { Child } from "./child.ts";
import { Loader, type Opening } from "./loader.ts";
import { type Machine, type MemoryKind, memoryBytes } from "./machine.ts";
import { type Greeting, maskedTextFrame, requestOf, type Wire, writeRecords } from "./records.ts";

/** The topic that clients subscribe to. */
export const TOPIC = "/bench/s0";
const ROLE = "bench";

export interface GatewayOptions {
  /** The feed's `state`. Default `none`. */
  readonly state?: "none" | "last" | "merge";
}

/** A gateway as users run it, `serve` with a configuration file, on a feed that the load client is. */
export class BenchGateway implements AsyncDisposable {
  readonly loader: Loader;
  readonly port: number;
  readonly #machine: Machine;
  readonly #child: Child;
  readonly #configFile: string;
  #files = 0;

  private constructor(machine: Machine, loader: Loader, child: Child, configFile: string, port: number) {
    this.#machine = machine;
    this.loader = loader;
    this.#child = child;
    this.#configFile = configFile;
    this.port = port;
  }

  static async start(machine: Machine, options: GatewayOptions = {}): Promise<BenchGateway> {
    await using stack = new AsyncDisposableStack();
    const loader = stack.use(await Loader.start(machine));
    const folder = mkdtempSync(join(machine.folder, "gateway-"));
    const file = join(folder, "streamkeeper.yaml");
    writeFileSync(file, configOf(loader.feedPort, folder, options.state ?? "none"));
    const program = join(machine.bench, "../bin/streamkeeper");
    const child = stack.use(
      new Child(machine.pin(0, [program, "serve", "-c", file]), {
        // Node's options for the gateway alone, such as --cpu-prof.
        env: { STREAMKEEPER_LOG: "info", NODE_OPTIONS: process.env.BENCH_NODE_OPTIONS ?? "" },
        answersOn: "stderr",
      }),
    );
    let url: unknown;
    let linked = false;
    while (url === undefined || !linked) {
      const line = await child.answer();
      if (line.msg === "listening") url = line.url;
      if (line.msg === "link open") linked = true;
    }
    // Nobody reads its log from here on, as a log collector would; what it costs is part of the gateway.
    child.ignoreAnswers();
    stack.move();
    return new BenchGateway(machine, loader, child, file, Number(new URL(String(url)).port));
  }

  cpuUs(): Promise<number> {
    return this.loader.cpuUs(this.#child.pid);
  }

  memoryBytes(kind: MemoryKind): number {
    return memoryBytes(this.#child.pid, kind);
  }

  /** So many clients, each with a token of its own. `since`: the cursor that they resume from. */
  async clients(wire: Wire, count: number, since: Cursor | null = null): Promise<Opening> {
    const greetings = (await this.tokens(count)).map((token) => greetingOf(wire, token, since));
    return this.#opening(wire, greetings);
  }

  /** All with the same token. */
  async sameClients(wire: Wire, token: string): Promise<Opening> {
    return this.#opening(wire, [greetingOf(wire, token, null)]);
  }

  /** Access tokens as `streamkeeper token` makes them. */
  async tokens(count: number): Promise<string[]> {
    const config = loadConfig(this.#configFile);
    const clock = new SystemClock();
    await using storage = await openStorage(config.database, { clock, logger: silentLogger });
    const keys = await openSigningKeys(storage.keys, clock);
    const { issuer, audience } = config.auth;
    const serial = this.#files++;
    const users = Array.from({ length: count }, (_, index) => `token:bench-${serial}-${index}`);
    const signed = users.map((user) =>
      signAccessToken(
        { user, role: ROLE, sessionId: null, ttlMs: 3_600_000 },
        { issuer, audience, keys, clock },
      ),
    );
    return (await Promise.all(signed)).map(({ token }) => token);
  }

  /** A metric's value, summed over its labels. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.port}/metrics`)).text();
    return text
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  }

  /** Where the log stands, by the front door: the cursor that a new stream begins with. */
  async cursor(): Promise<Cursor> {
    const [token] = await this.tokens(1);
    const abort = new AbortController();
    const response = await fetch(`http://127.0.0.1:${this.port}${PATH_SSE}`, {
      headers: { authorization: `Bearer ${token}` },
      signal: abort.signal,
    });
    let text = "";
    for await (const chunk of response.body as ReadableStream<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      const [, epoch, offset] = /^id: #(.+)\.(\d+)\n/m.exec(text) ?? [];
      if (epoch !== undefined) return { epoch, offset: Number(offset) };
    }
    throw new Error("a stream began without a cursor");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.loader[Symbol.asyncDispose]();
    await this.#child[Symbol.asyncDispose]();
  }

  #opening(wire: Wire, greetings: readonly Greeting[]): Opening {
    const file = writeRecords(this.#machine, `${wire}-${this.port}-${this.#files++}`, greetings);
    return { port: this.port, file, marker: wire === "sse" ? "retry:" : '"subscribe":{' };
  }
}

export interface Cursor {
  readonly epoch: string;
  readonly offset: number;
}

const PATH_SSE = `/.well-known/mercure?match=${encodeURIComponent(TOPIC)}`;

function greetingOf(wire: Wire, token: string, since: Cursor | null): Greeting {
  if (wire === "sse") {
    const resume = since === null ? [] : [`Last-Event-ID: #${since.epoch}.${since.offset}`];
    const hello = requestOf(wire, PATH_SSE, [`Authorization: Bearer ${token}`, ...resume]);
    return { hello, after: Buffer.alloc(0) };
  }
  const resume = since === null ? {} : { recover: true, ...since };
  const commands = [
    { id: 1, connect: { token } },
    { id: 2, subscribe: { channel: TOPIC, ...resume } },
  ];
  return {
    hello: requestOf(wire, "/connection/websocket"),
    after: maskedTextFrame(commands.map((command) => JSON.stringify(command)).join("\n")),
  };
}

/** Heartbeats stay out of the figures, and the load client answers no pings. */
function configOf(feedPort: number, folder: string, state: string): string {
  return `
listen: { host: 127.0.0.1, port: 0 }
database: "sqlite:${folder}/bench.db"
auth:
  roles: { ${ROLE}: { subscribe: ["/bench/*"] } }
feeds:
  bench: { url: "http://127.0.0.1:${feedPort}/feed", topic: "/bench/{key}", key: /symbol, state: ${state} }
heartbeat: { interval: 10m }
limits: { connections: 20000, connectionsPerUser: 20000, connectionsPerAddress: 20000 }
`;
}
