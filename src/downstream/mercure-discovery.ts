import type { IncomingMessage, ServerResponse } from "node:http";
import { EARLIEST } from "#protocol/mercure.ts";
import { resourceMetadata } from "#protocol/mercure-metadata.ts";
import type { SubscriptionQuery } from "#protocol/mercure-subscription.ts";
import type { Desk } from "./desk.ts";
import { answer, DISCOVERY_LINK } from "./mercure-answer.ts";
import { originOf } from "./mercure-origin.ts";
import { Refusal } from "./mercure-refusal.ts";
import { signIn } from "./mercure-sign-in.ts";
import { cursorAt } from "./sse-resume.ts";

/** Answers `GET` of the hub's metadata (RFC 9728): for everybody, pages of any origin included. */
export function answerMetadata(desk: Desk, request: IncomingMessage, response: ServerResponse): void {
  const body = `${JSON.stringify(resourceMetadata(desk.resource, originOf(desk, request)))}\n`;
  const headers = { "Content-Type": "application/json", "Access-Control-Allow-Origin": "*" };
  answer(desk, request, response, 200, headers, body);
}

/**
 * Answers `GET` at and below `/.well-known/mercure/subscriptions` (Mercure, "Subscription API"). The topic that must be
 * granted is the path itself.
 *
 * @throws Refusal
 */
export async function answerSubscriptions(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  query: SubscriptionQuery,
): Promise<void> {
  request.resume();
  const identity = await signIn(desk, request);
  if (identity.kind === "anonymous") {
    throw new Refusal(401, "unauthorized", "show an access token that permits subscribing to this path", {
      challenge: null,
    });
  }
  if (!identity.subscribe.covers(path)) {
    throw new Refusal(403, "insufficient_scope", `the access token does not permit subscribing to ${path}`, {
      challenge: "insufficient_scope",
    });
  }
  const found = desk.subscriptions.find(query);
  if (query.subscriber !== null && found.length === 0) {
    throw new Refusal(404, "no_subscription", "there is no such subscription, or it has ended");
  }
  const { hub } = desk;
  const lastEventId = hub.head === 0 ? EARLIEST : cursorAt(hub, hub.head);
  const body =
    query.subscriber === null ? { id: path, type: "subscriptions", subscriptions: found } : found[0];
  const headers = {
    "Content-Type": "application/json",
    Link: `${DISCOVERY_LINK}; last-event-id="${lastEventId}"; type="mercure"; content-type="application/json"`,
  };
  answer(desk, request, response, 200, headers, `${JSON.stringify(body)}\n`);
}
