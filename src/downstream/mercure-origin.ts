import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { METADATA_PATH } from "#protocol/mercure-metadata.ts";
import type { Desk } from "./desk.ts";

/** The origin by which the gateway was asked. Behind a proxy that ends TLS the scheme is the client's if it is trusted. */
export function originOf(desk: Desk, request: IncomingMessage): string {
  const own = (request.socket as Partial<TLSSocket>).encrypted === true ? "https" : "http";
  const scheme = desk.schemeOf(request) ?? own;
  const host = URL.parse(`${scheme}://${request.headers.host ?? ""}`)?.host ?? "localhost";
  return `${scheme}://${host}`;
}

/** The absolute URL of the hub's metadata, for challenges (RFC 9728, section 5.1). */
export function metadataUrl(desk: Desk, request: IncomingMessage): string {
  return `${originOf(desk, request)}${METADATA_PATH}`;
}
