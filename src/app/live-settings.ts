import type { IncomingMessage } from "node:http";
import type { Config } from "#config/config.ts";
import type { ResourceFacts } from "#protocol/mercure-metadata.ts";
import { clientAddressReader, clientSchemeReader, proxyTest } from "./client-address.ts";

/**
 * The configuration in force. Whoever can take over a new one reads its values from here at each use and keeps none of
 * them, so that all change within one turn.
 */
export class LiveSettings {
  #config: Config;
  #addressOf: (request: IncomingMessage) => string;
  #schemeOf: (request: IncomingMessage) => "http" | "https" | null;
  #isProxy: (address: string) => boolean;
  readonly #origins: Set<string>;
  readonly #log: { bytesMax: number; ageMaxMs: number };

  constructor(config: Config) {
    this.#config = config;
    this.#addressOf = clientAddressReader(config.listen.trustedProxies);
    this.#schemeOf = clientSchemeReader(config.listen.trustedProxies);
    this.#isProxy = proxyTest(config.listen.trustedProxies);
    this.#origins = new Set(config.listen.origins);
    this.#log = { ...config.log };
  }

  get config(): Config {
    return this.#config;
  }

  /** The gateway as an OAuth resource. */
  get resource(): ResourceFacts {
    const { audience, trustedIssuers } = this.#config.auth;
    return { audience, issuers: trustedIssuers.map(({ issuer }) => issuer) };
  }

  /** One object for the gateway's life, whose content changes. */
  get origins(): ReadonlySet<string> {
    return this.#origins;
  }

  /** One object for the gateway's life, whose content changes: it is looked at for each event. */
  get log(): { readonly bytesMax: number; readonly ageMaxMs: number } {
    return this.#log;
  }

  /** The client's address behind trusted proxies. */
  addressOf(request: IncomingMessage): string {
    return this.#addressOf(request);
  }

  /** The client's scheme as a trusted proxy tells it; null: it came through none. */
  schemeOf(request: IncomingMessage): "http" | "https" | null {
    return this.#schemeOf(request);
  }

  /** Most HTTP/2 sessions from an address: as many as connections, and a trusted proxy has no bound of its own. */
  sessionsMax(address: string): number {
    return this.#isProxy(address) ? Number.POSITIVE_INFINITY : this.#config.limits.connectionsPerAddress;
  }

  /** Puts another configuration in force. Never throws. */
  replace(config: Config): void {
    this.#config = config;
    this.#addressOf = clientAddressReader(config.listen.trustedProxies);
    this.#schemeOf = clientSchemeReader(config.listen.trustedProxies);
    this.#isProxy = proxyTest(config.listen.trustedProxies);
    this.#origins.clear();
    for (const origin of config.listen.origins) this.#origins.add(origin);
    this.#log.bytesMax = config.log.bytesMax;
    this.#log.ageMaxMs = config.log.ageMaxMs;
  }
}
