import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { FeedServer } from "../../helpers/feed-server.ts";
import { run } from "../../helpers/program.ts";
import type { Site } from "./acts.ts";
import type { Holdings } from "./probe.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const PROBE = fileURLToPath(new URL("probe.ts", import.meta.url));

/** A gateway as users start it, with a feed, in a process of its own that can be asked what it holds. */
export class Rig implements AsyncDisposable {
  readonly site: Site;
  readonly feed: FeedServer;
  readonly pid: number;
  /** Lines of the gateway's log above `info` that nothing in the test provokes. */
  readonly complaints: string[];
  readonly #probe: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<Rig, "site" | "feed" | "pid" | "complaints"> & { readonly probe: string },
    stack: AsyncDisposableStack,
  ) {
    this.site = parts.site;
    this.feed = parts.feed;
    this.pid = parts.pid;
    this.complaints = parts.complaints;
    this.#probe = parts.probe;
    this.#stack = stack;
  }

  /** @param leakEvery of so many connections one is leaked on purpose; 0: none */
  static async open(leakEvery: number): Promise<Rig> {
    await using stack = new AsyncDisposableStack();
    const directory = mkdtempSync(join(tmpdir(), "streamkeeper-cycles-"));
    stack.defer(() => rmSync(directory, { recursive: true, force: true }));
    const feed = stack.use(await FeedServer.open({ replay: false }));
    const file = join(directory, "streamkeeper.yaml");
    writeFileSync(file, configOf(feed.origin));
    const issued = await run(["token", "--role", "trader", "-c", file, "--json"], { cwd: directory });
    if (issued.status !== 0) throw new Error(`no token: ${issued.stderr}`);
    const { access_token: token } = JSON.parse(issued.stdout) as { access_token: string };
    const probe = join(directory, "probe");
    const child = spawn(`${ROOT}bin/streamkeeper`, ["serve", "-c", file], {
      cwd: directory,
      env: {
        ...process.env,
        STREAMKEEPER_LOG: "info",
        CYCLES_PROBE: probe,
        CYCLES_LEAK: String(leakEvery),
        NODE_OPTIONS: `--import=${PROBE}`,
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
    stack.defer(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    const complaints: string[] = [];
    const port = await new Promise<number>((resolve, reject) => {
      createInterface({ input: child.stderr }).on("line", (line) => {
        const address = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(line);
        if (address !== null) resolve(Number(address[1]));
        if (/"level":"(warn|error)"/.test(line) && complaints.length < 100) complaints.push(line);
      });
      void ended.then(() => reject(new Error(`the gateway ended:\n${complaints.join("\n")}`)));
    });
    const parts = {
      site: { port, token },
      feed,
      pid: child.pid as number,
      complaints,
      probe,
    };
    return new Rig(parts, stack.move());
  }

  /** Descriptors that are open in the gateway. */
  descriptors(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** Resident memory, as the system sees it: nothing in the gateway is made to run. */
  residentBytes(): number {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))?.[1]) * 1024;
  }

  /** Collects garbage in the gateway and asks what is left. @param kind of which objects are counted: a second each */
  async holdings(kind: "every class" | "main classes"): Promise<Holdings> {
    const socket = connect(this.#probe).setEncoding("utf8");
    socket.write(kind);
    let text = "";
    for await (const piece of socket) text += piece;
    return JSON.parse(text) as Holdings;
  }

  /** The sum of a metric over its labels. On a connection of its own, so that none is left behind. */
  async metric(...names: readonly string[]): Promise<number[]> {
    const text = await exchange({ port: this.site.port, path: "/metrics" }, "");
    return names.map((name) =>
      text
        .split("\n")
        .filter(
          (line) => line.startsWith(`streamkeeper_${name}{`) || line.startsWith(`streamkeeper_${name} `),
        )
        .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0),
    );
  }

  /** Publishes by the front door. */
  async publish(topic: string, data: string): Promise<void> {
    const headers = {
      authorization: `Bearer ${this.site.token}`,
      "content-type": "application/x-www-form-urlencoded",
    };
    const path = "/.well-known/mercure";
    const body = new URLSearchParams({ topic, data }).toString();
    await exchange({ port: this.site.port, path, method: "POST", headers }, body);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

interface Exchange {
  readonly port: number;
  readonly path: string;
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

async function exchange(target: Exchange, body: string): Promise<string> {
  const answer = await new Promise<AsyncIterable<Buffer>>((resolve, reject) => {
    request({ host: "127.0.0.1", agent: false, ...target }, resolve)
      .on("error", reject)
      .end(body);
  });
  const pieces: Buffer[] = [];
  for await (const piece of answer) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** The log is soon at its bound, so that it grows no more while cycles run; who is deaf or mute is soon given up. */
function configOf(feed: string): string {
  return `
listen: { host: 127.0.0.1, port: 0 }
database: sqlite:cycles.db
auth:
  anonymous: { subscribe: [/public/*] }
  roles: { trader: { subscribe: [/quotes/*, /public/*], publish: [/public/*] } }
feeds:
  quotes:
    url: ${feed}/quotes?symbols={keys}
    topic: /quotes/{key}
    key: /symbol
    state: last
    pool: { linger: 1s }
log: { bytesMax: 1MiB, ageMax: 1s }
heartbeat: { interval: 4s, timeout: 2s }
limits: { connections: 15000, connectionsPerUser: 20000, connectionsPerAddress: 20000, connectionsPerSecond: 100000 }
`;
}
