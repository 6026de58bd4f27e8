import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { signAccessToken } from "#auth/access-token.ts";
import { openSigningKeys } from "#auth/signing-keys.ts";
import type { Clock } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { loadConfig } from "#config/load.ts";
import { openStorage } from "#storage/storage.ts";
import { holdsWithin } from "./waiting.ts";

const PROGRAM = fileURLToPath(new URL("../../../bin/streamkeeper", import.meta.url));
const START_MS_MAX = 30_000;
const END_MS_MAX = 10_000;
const TOKEN_TTL_MS = 3_600_000;
/** The kernel's clock ticks a second, in which it counts processes' time (`USER_HZ`). */
const TICKS_PER_SECOND = 100;

/** The role that publishes; the configuration has to have it. */
export const PUBLISHER_ROLE = "publisher";
/** The role of clients. */
export const CLIENT_ROLE = "client";

/** `bin/streamkeeper serve` in a process of its own, as users run it, its log in a file. Ended with its scope. */
export class GatewayProcess implements AsyncDisposable {
  readonly host = "127.0.0.1";
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #clock: Clock;

  private constructor(child: ChildProcess, folder: string, port: number, clock: Clock) {
    this.#child = child;
    this.#folder = folder;
    this.port = port;
    this.#clock = clock;
  }

  /**
   * @param settings lines of its configuration, beside `listen`, `database` and `auth`
   * @param topics what clients may subscribe to, and the publisher publish
   */
  static async start(clock: Clock, topics: string, settings: string): Promise<GatewayProcess> {
    const folder = mkdtempSync(join(tmpdir(), "streamkeeper-long-"));
    writeFileSync(
      join(folder, "streamkeeper.yaml"),
      `listen: { host: 127.0.0.1, port: 0 }
database: "sqlite:${folder}/streamkeeper.db"
auth: { roles: { ${CLIENT_ROLE}: { subscribe: ["${topics}"] }, ${PUBLISHER_ROLE}: { publish: ["${topics}"] } } }
${settings}
`,
    );
    const log = openSync(join(folder, "log"), "w");
    const child = spawn(PROGRAM, ["serve", "-c", join(folder, "streamkeeper.yaml")], {
      env: { ...process.env, NODE_OPTIONS: process.env.GATEWAY_NODE_OPTIONS ?? "" },
      stdio: ["ignore", "ignore", log],
    });
    closeSync(log);
    let port: string | undefined;
    await holdsWithin(clock, START_MS_MAX, () => {
      port = /"url":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(readFileSync(join(folder, "log"), "utf8"))?.[1];
      return port !== undefined || child.exitCode !== null;
    });
    const gateway = new GatewayProcess(child, folder, Number(port), clock);
    if (port !== undefined) return gateway;
    const said = readFileSync(join(folder, "log"), "utf8");
    await gateway[Symbol.asyncDispose]();
    throw new Error(`the gateway did not start: ${said}`);
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  /** Access tokens as `streamkeeper token` makes them, each of a user of its own. */
  async tokens(role: typeof CLIENT_ROLE | typeof PUBLISHER_ROLE, count: number): Promise<string[]> {
    const clock = this.#clock;
    const config = loadConfig(join(this.#folder, "streamkeeper.yaml"));
    await using storage = await openStorage(config.database, { clock, logger: silentLogger });
    const keys = await openSigningKeys(storage.keys, clock);
    const { issuer, audience } = config.auth;
    const signed = Array.from({ length: count }, (_, index) =>
      signAccessToken(
        { user: `token:${role}-${index}`, role, sessionId: null, ttlMs: TOKEN_TTL_MS },
        { issuer, audience, keys, clock },
      ),
    );
    return (await Promise.all(signed)).map(({ token }) => token);
  }

  /** Metrics by name, each summed over its series; those of one series by its whole text, labels included. */
  async metrics(): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const values = new Map<string, number>();
    for (const line of text.split("\n")) {
      const [, series, name, value] = /^((\w+)(?:\{.*\})?) (\S+)$/.exec(line) ?? [];
      if (series === undefined || name === undefined) continue;
      values.set(name, (values.get(name) ?? 0) + Number(value));
      if (series !== name) values.set(series, Number(value));
    }
    return values;
  }

  /** Resident memory. */
  memoryBytes(): number {
    const text = readFileSync(`/proc/${this.pid}/status`, "latin1");
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? Number.NaN) * 1024;
  }

  /** Time that it has had of a core, user and kernel. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.pid}/stat`, "latin1")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGTERM");
      using _ = this.#clock.after(END_MS_MAX, () => this.#child.kill("SIGKILL"));
      await exited;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
