import { Gateway } from "#app/gateway.ts";
import { type Logger, silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import type { Config } from "#config/config.ts";
import { parseConfig } from "#config/load.ts";
import { type FaultFeed, type FaultFeedOptions, openFaultFeed } from "#lab/fault-feed/server.ts";
import { type FaultProxy, openFaultProxy } from "#lab/fault-proxy/proxy.ts";
import { gatewayYaml, PASSWORD, signIn } from "../../helpers/gateway.ts";

export interface RigOptions {
  readonly feed: FaultFeedOptions;
  /** The placeholder in the feed's URL. Default `{keys}`. */
  readonly placeholder?: "{key}" | "{keys}";
  /** Past the proxy, so that the feed counts connections as the gateway has them. Default false. */
  readonly direct?: boolean;
  /** The feed's `pool`, `health` and `retry`, as YAML. */
  readonly settings: readonly string[];
  /** Values that no file may have. */
  readonly adjust?: (config: Config) => Config;
  readonly log?: Logger;
}

/** A fault feed, a fault proxy before it, and a whole gateway that consumes it. */
export class Rig implements AsyncDisposable {
  readonly clock: SystemClock;
  readonly source: FaultFeed;
  readonly proxy: FaultProxy;
  readonly gateway: Gateway;
  readonly token: string;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<Rig, "clock" | "source" | "proxy" | "gateway" | "token">,
    stack: AsyncDisposableStack,
  ) {
    this.clock = parts.clock;
    this.source = parts.source;
    this.proxy = parts.proxy;
    this.gateway = parts.gateway;
    this.token = parts.token;
    this.#stack = stack;
  }

  static async open(options: RigOptions): Promise<Rig> {
    const {
      placeholder = "{keys}",
      direct = false,
      settings,
      adjust = (config) => config,
      log = silentLogger,
    } = options;
    await using stack = new AsyncDisposableStack();
    const clock = new SystemClock();
    const source = stack.use(await openFaultFeed({ heartbeatMs: 200, ...options.feed }, clock));
    const proxy = stack.use(await openFaultProxy({ target: { port: source.port } }, clock));
    const yaml = `
feeds:
  quotes:
    url: http://127.0.0.1:${direct ? source.port : proxy.port}/quotes?symbols=${placeholder}
    topic: /quotes/{key}
    key: /symbol
    ${settings.join("\n    ")}
limits: { connections: 15000, connectionsPerUser: 20000, connectionsPerAddress: 20000 }
log: { bytesMax: 512MiB }
`;
    const { config } = parseConfig(gatewayYaml(yaml), null, {});
    const gateway = stack.use(await Gateway.open(adjust(config), { log }));
    await gateway.addUser("ann", PASSWORD, "trader");
    const token = await signIn(gateway);
    return new Rig({ clock, source, proxy, gateway, token }, stack.move());
  }

  /** Resolves when every key comes by a stream. */
  async served(keys: readonly string[]): Promise<void> {
    await this.until("every key on a stream", () => keys.every((key) => this.source.streamsOf(key) > 0));
  }

  /** Looks every few milliseconds. */
  until(what: string, holds: () => boolean, withinMs = 60_000): Promise<void> {
    const deadlineMs = this.clock.monotonicMs() + withinMs;
    return new Promise((resolve, reject) => {
      const look = () => {
        if (holds()) resolve();
        else if (this.clock.monotonicMs() > deadlineMs)
          reject(new Error(`not within ${withinMs} ms: ${what}`));
        else this.clock.after(LOOK_MS, look);
      };
      look();
    });
  }

  /** Sum of a counter of the gateway over its labels, as an operator reads it. @param label one that has to be there */
  async metric(name: string, label = ""): Promise<number> {
    const response = await fetch(`${this.gateway.url}/metrics`);
    const lines = (await response.text()).split("\n");
    if (!lines.some((line) => line.startsWith(`# TYPE streamkeeper_${name} `))) throw new Error(`no ${name}`);
    return lines
      .filter((line) => /^streamkeeper_(\w+)/.exec(line)?.[1] === name && line.includes(label))
      .reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

const LOOK_MS = 5;
