import { isIPv4 } from "node:net";

/** Where the load goes, and in which dialect. Plain data: it travels to the workers. */
export interface LoadTarget {
  readonly secure: boolean;
  /** Name or address; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** The name asked for in TLS; "" for an address. */
  readonly servername: string;
  /** PEM certificates to trust; undefined: those that Node trusts by itself. */
  readonly ca: readonly string[] | undefined;
  /** Value of the `Host` header. */
  readonly authority: string;
  readonly dialect: Dialect;
}

/** What differs from server to server. */
export interface Dialect {
  readonly ssePath: string;
  /** The query parameter that names a topic: `match`, or `topic` before draft 08 of Mercure. */
  readonly sseParameter: string;
  readonly websocketPath: string;
  readonly publishPath: string;
  /** Mercure's form, or Centrifugo's HTTP API in JSON. */
  readonly publishFormat: "mercure" | "centrifugo";
  /** What topics begin with. */
  readonly topicPrefix: string;
}

export type ServerKind = keyof typeof DIALECTS;

const MERCURE_PATH = "/.well-known/mercure";
const CENTRIFUGO_PATHS = { websocketPath: "/connection/websocket", publishPath: "/api/publish" };

/** Of the servers that are known by name. */
export const DIALECTS = {
  streamkeeper: {
    ssePath: MERCURE_PATH,
    sseParameter: "match",
    websocketPath: "/connection/websocket",
    publishPath: MERCURE_PATH,
    publishFormat: "mercure",
    topicPrefix: "/load/",
  },
  mercure: {
    ssePath: MERCURE_PATH,
    sseParameter: "topic",
    websocketPath: "/connection/websocket",
    publishPath: MERCURE_PATH,
    publishFormat: "mercure",
    topicPrefix: "https://load.example/",
  },
  centrifugo: {
    ssePath: MERCURE_PATH,
    sseParameter: "match",
    ...CENTRIFUGO_PATHS,
    publishFormat: "centrifugo",
    topicPrefix: "load-",
  },
} as const satisfies Record<string, Dialect>;

/** Whether a host can only be this machine. A name other than `localhost` could be anywhere, whatever it is today. */
export function isLoopback(host: string): boolean {
  return (isIPv4(host) && host.startsWith("127.")) || host === "::1" || host === "localhost";
}

/** Connections from one source address: below the gateway's default `connectionsPerAddress`, and what ports there are. */
const CONNECTIONS_PER_SOURCE = 900;

/**
 * The source address of a connection, so that ports don't run out and limits by address are not met; undefined where only
 * the system's choice will do. @param index the connection's number
 */
export function sourceAddress(host: string, index: number): string | undefined {
  if (!(isIPv4(host) && host.startsWith("127."))) return undefined;
  const source = Math.floor(index / CONNECTIONS_PER_SOURCE) + 1;
  return `127.0.${Math.floor(source / 250) % 250}.${(source % 250) + 1}`;
}
