import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { METADATA_PATH } from "#protocol/mercure-metadata.ts";

/** The origin by which the gateway was asked. Behind a proxy that ends TLS the scheme is not the client's. */
export function originOf(request: IncomingMessage): string {
  const scheme = (request.socket as Partial<TLSSocket>).encrypted === true ? "https" : "http";
  const host = URL.parse(`${scheme}://${request.headers.host ?? ""}`)?.host ?? "localhost";
  return `${scheme}://${host}`;
}

/** The absolute URL of the hub's metadata, for challenges (RFC 9728, section 5.1). */
export function metadataUrl(request: IncomingMessage): string {
  return `${originOf(request)}${METADATA_PATH}`;
}
