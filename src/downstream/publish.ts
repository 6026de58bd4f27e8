import type { IncomingMessage, ServerResponse } from "node:http";
import { mayPublish } from "#auth/policy.ts";
import { MercureError } from "#protocol/mercure.ts";
import { parsePublishForm } from "#protocol/mercure-publish.ts";
import type { Desk } from "./desk.ts";
import { answer } from "./mercure-answer.ts";
import { readForm } from "./mercure-form-body.ts";
import { Refusal } from "./mercure-refusal.ts";
import { signIn, stillSignedIn } from "./mercure-sign-in.ts";

/**
 * Answers `POST /.well-known/mercure` (Mercure, "Publication").
 *
 * @throws Refusal
 */
export async function publishUpdate(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const signedIn = await signIn(desk, request);
  if (signedIn.kind === "anonymous") {
    throw new Refusal(401, "unauthorized", "show an access token that permits publishing", {
      challenge: null,
    });
  }
  const body = await readForm(request, desk.limits.requestBytes, desk.registry.bodies);
  const publication = parse(body);
  const identity = stillSignedIn(desk, signedIn);
  if (!mayPublish(identity, publication.topics)) {
    const denied = publication.topics.find((topic) => !identity.publish.covers(topic));
    throw new Refusal(403, "insufficient_scope", `the access token does not permit publishing to ${denied}`, {
      challenge: "insufficient_scope",
    });
  }
  const event = desk.hub.publish(publication);
  desk.counters.published.add("mercure");
  answer(desk, request, response, 200, { "Content-Type": "text/plain; charset=utf-8" }, event.sseId);
}

function parse(body: string): ReturnType<typeof parsePublishForm> {
  try {
    return parsePublishForm(body);
  } catch (error) {
    if (error instanceof MercureError) throw new Refusal(error.status, error.code, error.message);
    throw error;
  }
}
