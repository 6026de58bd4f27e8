import { isIP } from "node:net";
import { messageOf } from "#base/errors.ts";
import { topicFault } from "#protocol/topic.ts";
import { grantMatcher } from "#protocol/topic-matcher.ts";

/**
 * What is wrong with a text of the configuration, as what was expected in its place; null for a good one. The words
 * never hold the text itself: it may be a secret.
 */

/** A host name or IP address to listen on: no scheme, no port. */
export function hostFault(text: string): string | null {
  if (isIP(text) !== 0 || /^[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/.test(text)) return null;
  return "a host name or IP address, without scheme or port, such as 127.0.0.1";
}

/** An origin exactly as a browser's `Origin` header spells it (RFC 6454 section 6.2). */
export function originFault(text: string): string | null {
  const url = parseUrl(text);
  if (url !== null && isHttp(url) && url.origin === text) return null;
  return "an origin as browsers send it, scheme and host and port only, in lower case, such as https://app.example.com";
}

/** An IP address or a CIDR range. */
export function proxyFault(text: string): string | null {
  const [address = "", prefix, ...rest] = text.split("/");
  const family = isIP(address);
  const good =
    family !== 0 &&
    rest.length === 0 &&
    (prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 4 ? 32 : 128)));
  return good ? null : "an IP address or a range such as 10.0.0.0/8";
}

/** `sqlite:PATH` or `postgres://…`. */
export function databaseFault(text: string): string | null {
  if (/^sqlite:[^\0]+$/.test(text) && !text.startsWith("sqlite://")) return null;
  if (/^postgres(ql)?:\/\//.test(text) && parseUrl(text) !== null) return null;
  return "sqlite: and a path, or a postgres:// URL";
}

/** `redis://…` or `rediss://…`. */
export function clusterFault(text: string): string | null {
  return /^rediss?:\/\/[^/]/.test(text) && parseUrl(text) !== null
    ? null
    : "a redis:// or rediss:// URL, or null";
}

/** Where a feed is asked: http(s), with at most one `{key}` or `{keys}`, in its path or query only. */
export function feedUrlFault(text: string): string | null {
  if (text.length > 4096) return "a URL of at most 4096 characters";
  const placeholders = text.match(/\{[^{}]*\}/g) ?? [];
  if (placeholders.some((name) => name !== "{key}" && name !== "{keys}"))
    return "a URL with no placeholder but {key} or {keys}";
  if (placeholders.length > 1) return "a URL with one {key} or {keys}, not several";
  const bare = text.replace(/\{keys?\}/, "KEY");
  const url = parseUrl(bare);
  if (url === null || !isHttp(url) || /[{}\s]/.test(bare)) return "an http:// or https:// URL";
  if (url.username !== "" || url.password !== "")
    return "a URL without user and password: put credentials into headers";
  if (url.hash !== "") return "a URL without #fragment";
  // What clients ask for must never choose the server that is asked, however a URL parser reads odd slashes.
  const other = parseUrl(text.replace(/\{keys?\}/, "x.example"));
  if (other?.host !== url.host) return "{key} or {keys} in the URL's path or query, not in its host";
  return null;
}

/** A feed's topic: a path, with at most one `{key}`. */
export function topicTemplateFault(text: string): string | null {
  const bare = text.replace("{key}", "k");
  if (!text.startsWith("/")) return "a topic that starts with /, such as /quotes/{key}";
  if (/[{}]/.test(bare)) return "a topic with one {key} at most, and no other braces";
  if (/[*]|\/:[A-Za-z_$]/.test(bare)) return "a topic, not a pattern: no * and no :name";
  if (/^\/\.well-known\/mercure(\/|$)/.test(bare))
    return "a topic outside /.well-known/mercure, which is reserved";
  const fault = topicFault(bare);
  return fault === null ? null : `a good topic (${fault})`;
}

/** What a role or the anonymous may subscribe to or publish: a topic, a pattern or `*`. */
export function grantFault(text: string): string | null {
  try {
    grantMatcher(text);
    return null;
  } catch (thrown) {
    return `a topic, a pattern such as /quotes/*, or * (${messageOf(thrown)})`;
  }
}

/** A JSON Pointer (RFC 6901): empty, or parts that each start with `/`; `~` only as `~0` or `~1`. */
export function pointerFault(text: string): string | null {
  return /^(\/([^~]|~[01])*)?$/.test(text) ? null : "a JSON Pointer such as /symbol";
}

/** The name of a role or a feed: it becomes a label of metrics and a word in logs. */
export function nameFault(name: string): string | null {
  return /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(name)
    ? null
    : "a name of 1 to 64 letters, digits, - and _, starting with a letter or digit";
}

/** A header's name that may be set on requests to a feed, in any case. */
export function headerNameFault(name: string): string | null {
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}$/.test(name)) return "a header name";
  return OWN_HEADERS.has(name.toLowerCase()) ? "a header other than those the gateway sets itself" : null;
}

/** A header's value (RFC 9110 section 5.5, without the obsolete forms). */
export function headerValueFault(text: string): string | null {
  if (/[\r\n\0]/.test(text)) return "a header value on one line";
  return /^[\t\x20-\x7e]{0,8192}$/.test(text)
    ? null
    : "a header value of at most 8192 printable ASCII characters";
}

/** Where the keys of a trusted issuer are: https, or http on the machine itself. */
export function jwksUriFault(text: string): string | null {
  const url = parseUrl(text);
  const local = url !== null && ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  const good =
    url !== null && url.username === "" && (url.protocol === "https:" || (url.protocol === "http:" && local));
  return good ? null : "an https:// URL (http:// on loopback only)";
}

const OWN_HEADERS: ReadonlySet<string> = new Set([
  "accept",
  "cache-control",
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "last-event-id",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

function isHttp(url: URL): boolean {
  return url.protocol === "http:" || url.protocol === "https:";
}
