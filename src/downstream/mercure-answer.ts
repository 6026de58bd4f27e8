import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { MERCURE_PATH } from "#protocol/mercure.ts";
import { bearerChallenge } from "#protocol/mercure-challenge.ts";
import { encodeSseComment, encodeSseRetry } from "#protocol/sse-encode.ts";
import { corsHeaders } from "./cors.ts";
import type { Desk } from "./desk.ts";
import { metadataUrl } from "./mercure-origin.ts";
import type { Refusal, RefusalCode } from "./mercure-refusal.ts";

/** Where the hub is (Mercure, "Hub Discovery"). */
export const DISCOVERY_LINK = `<${MERCURE_PATH}>; rel="mercure"`;

/** Tells proxies and browsers to hand every byte on at once and to keep none. */
export const STREAM_HEADERS = {
  "Content-Type": "text/event-stream",
  "Cache-Control": "no-cache, no-transform",
  "X-Accel-Buffering": "no",
} as const;

export function answer(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  headers: OutgoingHttpHeaders,
  body: string,
): void {
  // The client may be gone by now, or its socket be a stream's.
  if (response.destroyed) return;
  const head: OutgoingHttpHeaders = {
    ...corsHeaders(request.headers, desk.origins),
    Link: DISCOVERY_LINK,
    "Cache-Control": "no-store",
    ...(status === 204 ? {} : { "Content-Length": Buffer.byteLength(body) }),
    ...headers,
  };
  // An HTTP/2 stream is no connection, and may not say so (RFC 9113, section 8.2.2).
  if (request.httpVersionMajor > 1) delete head.Connection;
  response.writeHead(status, head);
  response.end(request.method === "HEAD" ? undefined : body);
}

/** Problem details (RFC 9457), and the challenge where the token is the matter. */
export function refuse(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  refusal: Refusal,
): void {
  const { status, code, challenge, retryAfterS } = refusal;
  desk.counters.errors.add(code);
  const headers: OutgoingHttpHeaders = { "Content-Type": "application/problem+json" };
  if (challenge !== undefined) {
    headers["WWW-Authenticate"] = bearerChallenge(
      challenge,
      challenge === null ? undefined : refusal.message,
      metadataUrl(desk, request),
    );
  }
  if (retryAfterS !== null) headers["Retry-After"] = retryAfterS;
  // What is still to come of the body is not waited for.
  if (!request.complete) headers.Connection = "close";
  answer(
    desk,
    request,
    response,
    status,
    headers,
    `${JSON.stringify({ status, code, detail: refusal.message })}\n`,
  );
}

/**
 * Sends an SSE client away so that it comes back later: a browser that is answered anything but 200 gives up for ever.
 *
 * @param retryMs when it may come back, in milliseconds, spread by jitter
 */
export function sendAway(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  code: RefusalCode,
  retryMs: number,
): void {
  desk.counters.errors.add(code);
  const body = Buffer.concat([
    encodeSseComment(`${code}: come back later`),
    encodeSseRetry(retryMs),
  ]).toString();
  answer(desk, request, response, 200, { ...STREAM_HEADERS, Connection: "close" }, body);
}
