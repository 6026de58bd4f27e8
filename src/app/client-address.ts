import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";

/** Longest chain of forwarding addresses that is walked. */
const HOPS_MAX = 16;

/**
 * The client's address as limits count it: the socket's peer, or, where the peer is a trusted proxy, the last address
 * that no trusted proxy vouches for (`Forwarded`, RFC 7239, or `X-Forwarded-For`). What a client itself wrote into the
 * header that the proxy adds to stands further left and is never reached. Most proxies write one of the two and pass the
 * other on as it came: where they do not agree, one is the client's own, and neither is believed.
 *
 * @param trusted IP addresses and CIDR ranges of proxies
 */
export function clientAddressReader(trusted: readonly string[]): (request: IncomingMessage) => string {
  const proxies = blockListOf(trusted);
  return (request) => {
    const address = plain(request.socket.remoteAddress ?? "");
    if (trusted.length === 0 || !isTrusted(proxies, address)) return address;
    const told = chainsOf(request.headers).map((hops) => lastUntrusted(proxies, address, hops));
    return told.length > 0 && told.every((each) => each === told[0]) ? (told[0] as string) : address;
  };
}

/** The last address of a chain that is no trusted proxy's, or the nearest one that is an address at all. */
function lastUntrusted(proxies: BlockList, peer: string, chain: readonly string[]): string {
  let address = peer;
  const hops = chain.slice(-HOPS_MAX);
  for (let hop = hops.pop(); hop !== undefined; hop = hops.pop()) {
    if (isIP(hop) === 0) return address;
    address = hop;
    if (!isTrusted(proxies, address)) return address;
  }
  return address;
}

/**
 * The scheme that the client used, as the trusted proxy that the request came through tells it (`Forwarded`, RFC 7239,
 * or `X-Forwarded-Proto`); null: it came through none, or it does not say, or the two do not agree. Of several schemes the
 * last one is the proxy's own word.
 */
export function clientSchemeReader(
  trusted: readonly string[],
): (request: IncomingMessage) => "http" | "https" | null {
  const isProxy = proxyTest(trusted);
  return ({ socket, headers }) => {
    if (!isProxy(socket.remoteAddress ?? "")) return null;
    const told = new Set(schemesOf(headers).map((scheme) => scheme.trim().toLowerCase()));
    const [scheme] = told;
    return told.size === 1 && (scheme === "http" || scheme === "https") ? scheme : null;
  };
}

/** Whether an address is a trusted proxy's. */
export function proxyTest(trusted: readonly string[]): (address: string) => boolean {
  const proxies = blockListOf(trusted);
  return (address) => trusted.length > 0 && isTrusted(proxies, plain(address));
}

/** Addresses from the farthest to the nearest hop, by each header that is there. */
function chainsOf(headers: IncomingMessage["headers"]): string[][] {
  const chains: string[][] = [];
  const { forwarded } = headers;
  if (forwarded !== undefined) {
    const hops = forwarded.split(",");
    chains.push(hops.map((hop) => plain(/(?:^|;)\s*for="?([^;"]+)"?/i.exec(hop.trim())?.[1] ?? "")));
  }
  const list = headers["x-forwarded-for"];
  if (list !== undefined) chains.push(String(list).split(",").map(plain));
  return chains;
}

/** The nearest hop's word, by each header that says it. */
function schemesOf(headers: IncomingMessage["headers"]): string[] {
  const last = headers.forwarded?.split(",").at(-1)?.trim() ?? "";
  const schemes = [/(?:^|;)\s*proto="?([a-z]+)"?/i.exec(last)?.[1]];
  const list = headers["x-forwarded-proto"];
  if (list !== undefined) schemes.push(String(list).split(",").at(-1));
  return schemes.filter((scheme) => scheme !== undefined);
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
