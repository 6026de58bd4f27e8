import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { LAST_EVENT_ID_FIELD } from "#protocol/mercure.ts";

/** How long a browser may remember a preflight's answer, in seconds. */
const PREFLIGHT_AGE_S = 600;

/**
 * What lets a browser on another origin read the answer (Fetch standard, "CORS protocol"). Only origins of the
 * configuration are named, never `*` and never whoever asks: cookies go with these requests.
 */
export function corsHeaders(headers: IncomingHttpHeaders, origins: ReadonlySet<string>): OutgoingHttpHeaders {
  const { origin } = headers;
  // Said even without an Origin, so that no cache hands one origin's answer to another.
  if (origin === undefined || !origins.has(origin)) return { Vary: "Origin" };
  return {
    Vary: "Origin",
    "Access-Control-Allow-Origin": origin,
    "Access-Control-Allow-Credentials": "true",
    "Access-Control-Expose-Headers": `${LAST_EVENT_ID_FIELD}, Link`,
  };
}

/** The answer to a preflight, beside `corsHeaders`; nothing for origins that are not allowed. */
export function preflightHeaders(
  headers: IncomingHttpHeaders,
  origins: ReadonlySet<string>,
): OutgoingHttpHeaders {
  if (headers.origin === undefined || !origins.has(headers.origin)) return {};
  return {
    "Access-Control-Allow-Methods": "GET, QUERY, POST",
    "Access-Control-Allow-Headers": "Authorization, Cache-Control, Content-Type, Last-Event-ID",
    "Access-Control-Max-Age": PREFLIGHT_AGE_S,
  };
}
