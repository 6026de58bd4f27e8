/**
 * A TCP proxy that does to connections what networks do to them, each after a script: resets, half-open silence,
 * truncation, spoilt bytes, slowness, refusal. It knows no HTTP; only the marks of a script can count events.
 */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "#base/clock.ts";
import { Relay, type RelayOwner } from "./relay.ts";
import type { Direction, Fault, MarkedFault, Script } from "./script.ts";

export interface FaultProxyOptions {
  /** Default host 127.0.0.1. */
  readonly target: { readonly host?: string; readonly port: number };
  /** Default: no fault. */
  readonly script?: Script;
  /** Further connections are reset. Default 1024. */
  readonly connectionsMax?: number;
  /** Held back by a delay or a trickle in each direction of a connection before reading stops. Default 1 MiB. */
  readonly bufferBytesMax?: number;
}

export interface FaultProxyStats {
  /** Accepted since the start. */
  readonly opened: number;
  readonly active: number;
  readonly activePeak: number;
  /** Reset because `connectionsMax` was reached. */
  readonly refused: number;
  readonly bytes: Readonly<Record<Direction, number>>;
  /** Faults that were done, by kind. */
  readonly faults: Readonly<Partial<Record<Fault["do"], number>>>;
}

/** Listens on a free loopback port. */
export async function openFaultProxy(options: FaultProxyOptions, clock: Clock): Promise<FaultProxy> {
  const proxy = new FaultProxy(options, clock);
  await proxy.accept();
  return proxy;
}

export class FaultProxy implements AsyncDisposable, RelayOwner {
  /** For connections from now on. */
  script: Script;
  readonly #options: Required<FaultProxyOptions>;
  readonly #clock: Clock;
  readonly #relays = new Set<Relay>();
  readonly #bytes = { up: 0, down: 0 };
  readonly #faults: Partial<Record<Fault["do"], number>> = {};
  #server: Server | null = null;
  #port = 0;
  #opened = 0;
  #activePeak = 0;
  #refused = 0;
  #emptied: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(options: FaultProxyOptions, clock: Clock) {
    this.#options = { script: () => [], connectionsMax: 1024, bufferBytesMax: 1 << 20, ...options };
    this.script = this.#options.script;
    this.#clock = clock;
  }

  get port(): number {
    return this.#port;
  }

  /** Listens again after `refuse`, on the same port. Nothing while it listens. */
  async accept(): Promise<void> {
    if (this.#server !== null || this.#closing !== null) return;
    const server = createServer({ allowHalfOpen: true }, (client) => this.#relay(client));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
  }

  /** Stops listening: new connections are refused by the system. Those that are up stay. */
  async refuse(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    // Its callback would wait for the connections as well; the socket is closed at once.
    server?.close();
  }

  /** Does a fault to each connection that is up; marks count from here. Says to how many. */
  inject(fault: MarkedFault): number {
    const relays = [...this.#relays];
    for (const relay of relays) relay.inject(fault);
    return relays.length;
  }

  stats(): FaultProxyStats {
    return {
      opened: this.#opened,
      active: this.#relays.size,
      activePeak: this.#activePeak,
      refused: this.#refused,
      bytes: { ...this.#bytes },
      faults: { ...this.#faults },
    };
  }

  /** Ends every connection and the listener. Idempotent; resolves when the last socket is closed. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  passed(direction: Direction, bytes: number): void {
    this.#bytes[direction] += bytes;
  }

  faulted(kind: Fault["do"]): void {
    this.#faults[kind] = (this.#faults[kind] ?? 0) + 1;
  }

  closed(relay: Relay): void {
    this.#relays.delete(relay);
    if (this.#relays.size === 0) this.#emptied?.();
  }

  #relay(client: Socket): void {
    if (this.#closing !== null || this.#relays.size >= this.#options.connectionsMax) {
      this.#refused++;
      client.on("error", () => {});
      client.resetAndDestroy();
      return;
    }
    const { target, bufferBytesMax } = this.#options;
    const script = this.script(this.#opened++);
    const { host = "127.0.0.1", port } = target;
    const socket = connect({ host, port, allowHalfOpen: true });
    const relay = new Relay(client, socket, script, this, this.#clock, bufferBytesMax);
    this.#relays.add(relay);
    this.#activePeak = Math.max(this.#activePeak, this.#relays.size);
  }

  async #close(): Promise<void> {
    await this.refuse();
    const emptied = new Promise<void>((resolve) => {
      if (this.#relays.size === 0) resolve();
      else this.#emptied = resolve;
    });
    for (const relay of this.#relays) relay.destroy();
    await emptied;
  }
}
