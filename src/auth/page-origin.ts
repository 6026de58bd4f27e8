import type { IncomingHttpHeaders } from "node:http";

/**
 * Where a request comes from, as its browser says: the gateway's own pages, those of an origin that the
 * configuration names, any other page, or no browser that would say.
 */
export type PageOrigin = "own" | "listed" | "foreign" | "unknown";

/** @param listed origins such as `https://app.example.com` */
export function pageOriginOf(headers: IncomingHttpHeaders, listed: ReadonlySet<string>): PageOrigin {
  const told = headers.origin ?? headers.referer;
  if (told === undefined) return headers["sec-fetch-site"] === "same-origin" ? "own" : "unknown";
  const url = URL.parse(told);
  if (url === null || url.host === "") return "foreign";
  if (listed.has(url.origin)) return "listed";
  // The scheme is the page's: behind a proxy that ends TLS the gateway can't tell, and the host decides.
  const host = URL.parse(`${url.protocol}//${headers.host ?? ""}`)?.host;
  return url.host === host ? "own" : "foreign";
}
