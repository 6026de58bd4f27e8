import { isIP } from "node:net";

/** What of a request tells whether it comes from the machine itself. */
export interface PeerFacts {
  /** The socket's remote address. */
  readonly address: string | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Headers that a proxy adds: what comes through one is not from the machine itself, though the socket is. */
const FORWARDING_HEADERS = [
  "forwarded",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-proto",
  "x-real-ip",
  "cf-connecting-ip",
  "true-client-ip",
];

/**
 * Whether a request was made on the machine itself: a loopback socket, no header of a proxy, and a `Host` that names
 * loopback. The last one keeps out web pages whose own name was made to resolve to 127.0.0.1 (DNS rebinding).
 *
 * A proxy on the same machine that adds none of these headers can't be told from a local caller: the deployment guide
 * says to have it add one, or to keep `/metrics` and `/readyz` from it.
 */
export function isDirectLoopback(peer: PeerFacts): boolean {
  if (peer.address === undefined || !isLoopbackAddress(peer.address)) return false;
  if (FORWARDING_HEADERS.some((name) => peer.headers[name] !== undefined)) return false;
  const host = peer.headers.host;
  return host === undefined || (typeof host === "string" && isLoopbackHost(host));
}

function isLoopbackAddress(address: string): boolean {
  const bare = address.toLowerCase().startsWith("::ffff:") ? address.slice(7) : address;
  return bare === "::1" || (isIP(bare) === 4 && bare.startsWith("127."));
}

function isLoopbackHost(host: string): boolean {
  const name = host.toLowerCase().replace(/:\d{1,5}$/, "");
  if (name === "localhost" || name.endsWith(".localhost")) return true;
  return isLoopbackAddress(name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name);
}
