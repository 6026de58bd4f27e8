/** What the gateway of a soak is configured with. */
export interface GatewayFileOptions {
  readonly dir: string;
  readonly port: number;
  /** Where the links go. */
  readonly feedPort: number;
  readonly isTls: boolean;
  /** Differs in what a reload changes. */
  readonly variant: number;
}

export const SOAK_ROLE = "soak";
export const FEED = "quotes";
/** Bound on links, and on the resident memory of the gateway in bytes. */
export const LINKS_MAX = 10;
export const MEMORY_MAX = 768 << 20;
export const DRAIN_MS = 6000;
/** Together the longest time until a silent client is sent away, but for the machine's slowness. */
const HEARTBEAT = "{ interval: 5s, timeout: 3s }";

/** `streamkeeper.yaml`. The log is small, so that it is at its bound within seconds, and some resumes are refused. */
export function gatewayFile({ dir, port, feedPort, isTls, variant }: GatewayFileOptions): string {
  const isOdd = variant % 2 === 1;
  return `
listen: { host: 127.0.0.1, port: ${port} }
${isTls ? `tls: { cert: "${dir}/gateway.crt", key: "${dir}/gateway.key" }` : ""}
database: "sqlite:${dir}/soak.db"
auth:
  accessTokenTtl: ${isOdd ? "20m" : "15m"}
  roles:
    ${SOAK_ROLE}: { subscribe: ["/quotes/*", "/news/*"${isOdd ? ', "/more/*"' : ""}], publish: ["/news/*"] }
feeds:
  ${FEED}:
    url: "http://127.0.0.1:${feedPort}/quotes?symbols={keys}"
    topic: "/quotes/{key}"
    key: /symbol
    pool: { keysPerLink: 10, linksMax: ${LINKS_MAX}, linger: ${isOdd ? 6 : 5}s, gather: 20ms }
    health: { connectTimeout: 2s, idleTimeout: 1s, rotateAfter: 10m, eventBytesMax: 64KiB }
    retry: { min: 10ms, max: 100ms, resetAfter: 100ms }
log: { bytesMax: 6MiB, ageMax: 10m }
limits: { connections: ${isOdd ? 14_000 : 15_000}, connectionsPerUser: 20000, connectionsPerAddress: 20000, connectionsPerSecond: 20000, memory: ${MEMORY_MAX >> 20}MiB }
heartbeat: ${HEARTBEAT}
drain: { timeout: ${DRAIN_MS}ms }
`;
}
