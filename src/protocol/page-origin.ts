import type { IncomingHttpHeaders } from "node:http";

/**
 * Where a request comes from, as its browser says: the gateway's own pages, those of an origin that the
 * configuration names, any other page, or no browser that would say.
 */
export type PageOrigin = "own" | "listed" | "foreign" | "unknown";

/**
 * Whose page made the request. A browser sends any page's requests and WebSocket handshakes along with the user's
 * cookies and address (RFC 6455, section 10.2; Mercure, "Security Considerations").
 *
 * @param listed origins such as `https://app.example.com`
 */
export function pageOriginOf(headers: IncomingHttpHeaders, listed: ReadonlySet<string>): PageOrigin {
  const told = headers.origin ?? headers.referer;
  if (told === undefined) return originOfSite(headers["sec-fetch-site"]);
  const url = URL.parse(told);
  if (url === null || (url.protocol !== "https:" && url.protocol !== "http:")) return "foreign";
  if (listed.has(url.origin)) return "listed";
  // The scheme is the page's: behind a proxy that ends TLS the gateway can't tell, and the host decides.
  const host = URL.parse(`${url.protocol}//${headers.host ?? ""}`)?.host;
  return url.host === host ? "own" : "foreign";
}

/** Same-origin `GET`s of browsers carry no Origin, but this much (Fetch Metadata). */
function originOfSite(site: string | string[] | undefined): PageOrigin {
  switch (site) {
    case "same-origin":
      return "own";
    case "same-site":
    case "cross-site":
      return "foreign";
    default:
      return "unknown";
  }
}
