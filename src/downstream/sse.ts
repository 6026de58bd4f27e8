import type { IncomingMessage, ServerResponse } from "node:http";
import type { Identity } from "#auth/identity.ts";
import { maySubscribe } from "#auth/policy.ts";
import { messageOf } from "#base/errors.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import { EARLIEST, LAST_EVENT_ID_FIELD, LAST_EVENT_ID_FIELD_07, MercureError } from "#protocol/mercure.ts";
import { parseSubscribeRequest, type SubscribeRequest } from "#protocol/mercure-subscribe.ts";
import type { AdmissionVerdict } from "./admission.ts";
import { corsHeaders } from "./cors.ts";
import type { Desk } from "./desk.ts";
import { DISCOVERY_LINK, STREAM_HEADERS, sendAway } from "./mercure-answer.ts";
import { readForm } from "./mercure-form-body.ts";
import { Refusal } from "./mercure-refusal.ts";
import { signIn, stillSignedIn } from "./mercure-sign-in.ts";
import { SseConnection } from "./sse-connection.ts";
import { takeOver } from "./sse-takeover.ts";

/** Windows from which the time is drawn after which a client that is not let in may come back, in milliseconds. */
const RETRY_FULL_MS = { min: 5000, max: 30_000 } as const;
const RETRY_DRAINING_MS = { min: 1000, max: 10_000 } as const;

/**
 * Answers `GET` and `QUERY` of `/.well-known/mercure` with a stream (Mercure, "Subscription").
 *
 *     admitted? ──> query ──> signed in ──> next turn ──> permitted? ──> admitted still? ──> socket taken over ──> stream
 *
 * @throws Refusal
 */
export async function openStream(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const address = desk.addressOf(request);
  const early = desk.registry.admit(address, null, desk.limits, desk.isDraining());
  if (early !== null) {
    refuseSoftly(desk, request, response, early);
    return;
  }
  const wanted = parse(desk, request, await bodyOf(desk, request));
  const signedIn = await signIn(desk, request);
  await desk.flusher.nextTurn();
  const identity = stillSignedIn(desk, signedIn);
  authorise(desk, identity, wanted);
  // Others may have come in meanwhile; from here to the connection's entry in the books nothing waits.
  const verdict = desk.registry.admit(address, identity, desk.limits, desk.isDraining());
  if (verdict !== null) {
    refuseSoftly(desk, request, response, verdict);
    return;
  }
  if (!desk.hub.hasRoomFor(wanted.matchers)) {
    refuseSoftly(desk, request, response, "patterns");
    return;
  }
  const { headers } = request;
  const taken = takeOver(request, response);
  if (taken === null) {
    throw new Refusal(
      400,
      "bad_request",
      "send a stream's request without a body, and not behind another one",
    );
  }
  const connection = new SseConnection(desk, taken.sink, address, identity);
  try {
    connection.open(wanted, (lastEventId) => taken.begin(headOf(desk, headers, lastEventId)));
  } catch (error) {
    desk.log.error({ connection: connection.id, error: messageOf(error) }, "a stream could not be begun");
    connection.close(CloseReason.server_error);
  }
}

/** When a client comes back after the gateway failed or could not let it in. */
export function refuseSoftly(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  verdict: NonNullable<AdmissionVerdict> | "patterns" | "server_error",
): void {
  const window = verdict === "draining" ? RETRY_DRAINING_MS : RETRY_FULL_MS;
  const retryMs = window.min + desk.random() * (window.max - window.min);
  sendAway(desk, request, response, REFUSAL_OF[verdict], retryMs);
}

const REFUSAL_OF = {
  draining: "draining",
  memory: "memory_short",
  connections: "connection_limit",
  connectionsPerUser: "user_connection_limit",
  connectionsPerAddress: "address_connection_limit",
  connectionsPerSecond: "connection_rate",
  patterns: "pattern_limit",
  server_error: "server_error",
} as const;

/** Read to its end whatever it is, without which the socket can't be taken over. */
async function bodyOf(desk: Desk, request: IncomingMessage): Promise<string> {
  if (request.method === "QUERY")
    return await readForm(request, desk.limits.requestBytes, desk.registry.queries);
  request.resume();
  return "";
}

/** @param body fields that are taken as if they stood behind the URL's, which so win where only one counts */
function parse(desk: Desk, request: IncomingMessage, body: string): SubscribeRequest {
  const url = request.url ?? "";
  const mark = url.indexOf("?");
  const field = request.headers["last-event-id"];
  try {
    return parseSubscribeRequest(
      `${mark < 0 ? "" : url.slice(mark + 1)}&${body}`,
      Array.isArray(field) ? field[0] : field,
      { matchersMax: desk.limits.subscribersPerConnection, mercure07: desk.mercure07 },
    );
  } catch (error) {
    if (error instanceof MercureError) throw new Refusal(error.status, error.code, error.message);
    throw error;
  }
}

function authorise(desk: Desk, identity: Identity, { matchers }: SubscribeRequest): void {
  const denied = matchers.find((matcher) => !maySubscribe(identity, matcher, desk.access));
  if (denied === undefined) return;
  if (identity.kind === "anonymous") {
    throw new Refusal(401, "unauthorized", `sign in to subscribe to ${denied.pattern}`, { challenge: null });
  }
  const granted = identity.subscribe.matchers.slice(0, 20).map(({ pattern }) => pattern);
  throw new Refusal(
    403,
    "insufficient_scope",
    `the access token does not permit subscribing to ${denied.pattern}; it permits: ${granted.join(" ") || "nothing"}`,
    { challenge: "insufficient_scope" },
  );
}

/** The fields of the response's head. */
function headOf(
  desk: Desk,
  headers: IncomingMessage["headers"],
  lastEventId: string | null,
): Record<string, string> {
  const fields: Record<string, string> = {
    Date: httpDate(desk.clock.nowMs()),
    ...STREAM_HEADERS,
    Link: DISCOVERY_LINK,
    ...(corsHeaders(headers, desk.origins) as Record<string, string>),
  };
  // An id is UTF-8, as browsers send it. One that could end the field was never an event's, and is not told back.
  if (lastEventId !== null) {
    const told = FIELD_SAFE.test(lastEventId) ? lastEventId : EARLIEST;
    fields[LAST_EVENT_ID_FIELD] = told;
    if (desk.mercure07) fields[LAST_EVENT_ID_FIELD_07] = told;
  }
  return fields;
}

/** Made once a second. */
function httpDate(nowMs: number): string {
  const second = Math.floor(nowMs / 1000);
  if (second !== date.second) date = { second, text: new Date(second * 1000).toUTCString() };
  return date.text;
}

let date = { second: Number.NaN, text: "" };

const FIELD_SAFE = /^[^\p{Cc}]+$/u;
