import { renameSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import type { SeededLeak } from "../leaks/seed-names.ts";
import { selfSigned } from "./certificate.ts";
import type { Door } from "./client.ts";
import { DRAIN_MS, gatewayFile } from "./gateway-file.ts";
import { GatewayError, GatewayProcess } from "./gateway-process.ts";
import { signTokens } from "./tokens.ts";

export interface StationOptions {
  readonly dir: string;
  readonly feedPort: number;
  readonly seedLeak: SeededLeak | null;
  /** Lives that it had before this sitting of the run. */
  readonly livesBefore: number;
  /** How long tokens are good. */
  readonly tokenMs: number;
}

const USERS = 40;
/** Above `drain.timeout`: then it is ended by force, which is a promise broken. */
const DRAIN_MS_MAX = DRAIN_MS + 15_000;

/** The gateway of a soak through its lives: one process at a time, on the same port, database and file. */
export class Station implements AsyncDisposable {
  readonly #options: StationOptions;
  readonly #clock: Clock;
  readonly #file: string;
  #gateway: GatewayProcess | null = null;
  #door: Door | null = null;
  #tokens: readonly string[] = [];
  #trusted: readonly string[] = [];
  #port = 0;
  #variant = 0;
  #isTls = false;
  #lives: number;
  #bornMs = 0;

  constructor(options: StationOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
    this.#lives = options.livesBefore;
    this.#file = join(options.dir, "streamkeeper.yaml");
  }

  /** The process that runs; null between two lives. */
  get gateway(): GatewayProcess | null {
    return this.#gateway;
  }

  /** Where clients go; null while there is nowhere to go. */
  get door(): Door | null {
    return this.#door;
  }

  /** Lives begun. */
  get lives(): number {
    return this.#lives;
  }

  get lifeMs(): number {
    return this.#clock.monotonicMs() - this.#bornMs;
  }

  get isTls(): boolean {
    return this.#isTls;
  }

  /**
   * Begins a life.
   *
   * @param isTls whether with TLS
   * @throws GatewayError
   */
  async start(isTls: boolean): Promise<void> {
    const { dir, seedLeak, tokenMs } = this.#options;
    this.#isTls = isTls;
    // Chosen here, since a file that named another than the one in force would not be taken over.
    if (this.#port === 0) this.#port = await freePort();
    if (isTls) this.#renewFiles();
    this.#writeFile();
    if (this.#tokens.length === 0) this.#tokens = await this.#sign(tokenMs);
    const logFile = join(dir, "gateway.log");
    this.#gateway = await GatewayProcess.start({ file: this.#file, logFile, seedLeak }, this.#clock);
    this.#lives++;
    this.#bornMs = this.#clock.monotonicMs();
    this.#open();
  }

  /** Has it take over a changed configuration. */
  reload(): void {
    this.#variant++;
    this.#writeFile();
    this.#gateway?.signal("SIGHUP");
  }

  /** Has it take over another certificate. Clients have to trust it already: `trust` says when. */
  async renew(trust: (door: Door) => Promise<void>): Promise<void> {
    if (!this.#isTls || this.#door === null) {
      this.reload();
      return;
    }
    this.#renewFiles();
    this.#open();
    await trust(this.#door);
    this.#gateway?.signal("SIGHUP");
  }

  /** Drains it. Answers what went wrong, or null. */
  async drain(): Promise<string | null> {
    const gateway = this.#gateway;
    if (gateway === null) return null;
    const { status, signal } = await gateway.drain(DRAIN_MS_MAX);
    this.#ended();
    return status === 0 ? null : `drained, it ended by ${signal ?? `status ${status}`}`;
  }

  /** Kills it. */
  async crash(): Promise<void> {
    this.#gateway?.signal("SIGKILL");
    await this.#gateway?.ended;
    this.#ended();
  }

  /** It has ended by itself. Answers how. */
  async mourn(): Promise<string> {
    const end = await this.#gateway?.ended;
    this.#ended();
    return `it ended by itself, by ${end?.signal ?? `status ${end?.status}`}; see gateway.log`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#gateway?.[Symbol.asyncDispose]();
  }

  /** From the gateway's database, which its last life may have left in a state that nobody can read. */
  async #sign(tokenMs: number): Promise<string[]> {
    try {
      return await signTokens(this.#file, USERS, tokenMs, this.#clock);
    } catch (thrown) {
      throw new GatewayError(`no tokens can be signed from its database: ${messageOf(thrown)}`, {
        cause: thrown,
      });
    }
  }

  #ended(): void {
    this.#gateway = null;
    this.#door = null;
  }

  #open(): void {
    this.#door = { port: this.#port, ca: this.#isTls ? this.#trusted.join("") : null, tokens: this.#tokens };
  }

  #writeFile(): void {
    const { dir, feedPort } = this.#options;
    const text = gatewayFile({ dir, feedPort, port: this.#port, isTls: this.#isTls, variant: this.#variant });
    replaceFile(this.#file, text);
  }

  #renewFiles(): void {
    const { cert, key } = selfSigned(this.#clock.nowMs());
    replaceFile(join(this.#options.dir, "gateway.crt"), cert);
    replaceFile(join(this.#options.dir, "gateway.key"), key);
    // The one before is trusted too, until the next.
    this.#trusted = [cert, ...this.#trusted.slice(0, 1)];
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

/** At once: whoever reads it meanwhile reads the old one or the new. */
function replaceFile(file: string, text: string): void {
  writeFileSync(`${file}.new`, text, { mode: 0o600 });
  renameSync(`${file}.new`, file);
}
