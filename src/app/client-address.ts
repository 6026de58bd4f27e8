import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

/** Longest chain of forwarding addresses that is walked. */
const HOPS_MAX = 16;

/**
 * The client's address as limits count it: the socket's peer, or, where the peer is a trusted proxy, the last address
 * that no trusted proxy vouches for (`Forwarded`, RFC 7239, else `X-Forwarded-For`). What a client itself wrote into
 * these headers stands further left and is never reached.
 *
 * @param trusted IP addresses and CIDR ranges of proxies
 */
export function clientAddressReader(trusted: readonly string[]): (request: IncomingMessage) => string {
  const proxies = blockListOf(trusted);
  return (request) => {
    let address = plain(request.socket.remoteAddress ?? "");
    if (trusted.length === 0 || !isTrusted(proxies, address)) return address;
    const hops = forwardedFor(request.headers).slice(-HOPS_MAX);
    for (let hop = hops.pop(); hop !== undefined; hop = hops.pop()) {
      if (isIP(hop) === 0) return address;
      address = hop;
      if (!isTrusted(proxies, address)) return address;
    }
    return address;
  };
}

/**
 * The scheme that the client used, as the trusted proxy that the request came through tells it (`Forwarded`, RFC 7239,
 * else `X-Forwarded-Proto`); null: it came through none, or it does not say. Of several schemes the last one is the
 * proxy's own word.
 */
export function clientSchemeReader(
  trusted: readonly string[],
): (request: IncomingMessage) => "http" | "https" | null {
  const isProxy = proxyTest(trusted);
  return ({ socket, headers }) => {
    if (!isProxy(socket.remoteAddress ?? "")) return null;
    const { forwarded } = headers;
    const told =
      forwarded === undefined
        ? String(headers["x-forwarded-proto"] ?? "")
            .split(",")
            .at(-1)
        : /(?:^|;)\s*proto="?([a-z]+)"?/i.exec(forwarded.split(",").at(-1)?.trim() ?? "")?.[1];
    const scheme = told?.trim().toLowerCase();
    return scheme === "http" || scheme === "https" ? scheme : null;
  };
}

/** Whether an address is a trusted proxy's. */
export function proxyTest(trusted: readonly string[]): (address: string) => boolean {
  const proxies = blockListOf(trusted);
  return (address) => trusted.length > 0 && isTrusted(proxies, plain(address));
}

/** Addresses from the farthest to the nearest hop. */
function forwardedFor(headers: IncomingMessage["headers"]): string[] {
  const forwarded = headers.forwarded;
  if (forwarded !== undefined) {
    return forwarded
      .split(",")
      .map((hop) => plain(/(?:^|;)\s*for="?([^;"]+)"?/i.exec(hop.trim())?.[1] ?? ""));
  }
  const list = headers["x-forwarded-for"];
  return list === undefined ? [] : String(list).split(",").map(plain);
}

/** Without port, brackets, zone and the IPv4-in-IPv6 prefix. */
function plain(text: string): string {
  if (BARE.test(text)) return text;
  const bare = text.trim();
  const address =
    /^\[([^\]]+)\](?::\d+)?$/.exec(bare)?.[1] ?? /^(\d+\.\d+\.\d+\.\d+)(?::\d+)?$/.exec(bare)?.[1] ?? bare;
  return address.replace(/^::ffff:(?=\d+\.)/i, "").replace(/%.*$/, "");
}

/** An IPv4 address as most are. */
const BARE = /^[\d.]+$/;

function blockListOf(trusted: readonly string[]): BlockList {
  const list = new BlockList();
  for (const entry of trusted) {
    const [address = "", bits] = entry.split("/");
    const family = isIP(address) === 6 ? "ipv6" : "ipv4";
    if (bits === undefined) list.addAddress(address, family);
    else list.addSubnet(address, Number(bits), family);
  }
  return list;
}

function isTrusted(proxies: BlockList, address: string): boolean {
  const version = isIP(address);
  return version !== 0 && proxies.check(address, version === 6 ? "ipv6" : "ipv4");
}
