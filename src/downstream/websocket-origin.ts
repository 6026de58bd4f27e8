/**
 * Whether a WebSocket handshake may come from this page. A browser sends any page's handshake along with the user's
 * cookies and address, and no preflight protects it; so the page must be of the gateway's own host or of an origin
 * that the configuration names (RFC 6455, section 10.2). Programs send no Origin and are let in.
 *
 * @param origin the Origin header; undefined: none was sent
 * @param host the Host header
 * @param allowed origins such as `https://app.example.com`
 */
export function isOriginAllowed(
  origin: string | undefined,
  host: string | undefined,
  allowed: ReadonlySet<string>,
): boolean {
  if (origin === undefined) return true;
  if (allowed.has(origin)) return true;
  const own = hostOf(origin);
  // The scheme is the page's: behind a proxy that ends TLS the gateway can't tell, and the host decides.
  return (
    own !== null && host !== undefined && own === hostOf(`${origin.slice(0, origin.indexOf(":"))}://${host}`)
  );
}

/** Host and port, the scheme's default port left out. Null for `null` and for what is no web origin. */
function hostOf(origin: string): string | null {
  if (!URL.canParse(origin)) return null;
  const url = new URL(origin);
  return (url.protocol === "https:" || url.protocol === "http:") && url.host !== "" ? url.host : null;
}
