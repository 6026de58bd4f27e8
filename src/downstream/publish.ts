import type { IncomingMessage, ServerResponse } from "node:http";
import { mayPublish } from "#auth/policy.ts";
import { MercureError } from "#protocol/mercure.ts";
import { parsePublishForm } from "#protocol/mercure-publish.ts";
import type { Desk } from "./desk.ts";
import { answer } from "./mercure-answer.ts";
import { Refusal } from "./mercure-refusal.ts";
import { signIn, stillSignedIn } from "./mercure-sign-in.ts";

/** Of a body that is too large, so much is read and dropped that most senders are still there to read the answer. */
const DROPPED_BYTES_MAX = 1024 * 1024;

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
  if (!FORM.test(request.headers["content-type"] ?? "")) {
    throw new Refusal(415, "not_a_form", "send the update as application/x-www-form-urlencoded");
  }
  const body = await readBody(request, desk.limits.requestBytes);
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

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

function parse(body: Buffer): ReturnType<typeof parsePublishForm> {
  try {
    return parsePublishForm(body.toString("latin1"));
  } catch (error) {
    if (error instanceof MercureError) throw new Refusal(error.status, error.code, error.message);
    throw error;
  }
}

/** @throws Refusal 413 for a body larger than `bytesMax`; `Error` when the sender goes away before its end */
function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const tooLarge = () =>
      reject(
        new Refusal(413, "body_too_large", `the body is larger than ${bytesMax} bytes (limits.requestBytes)`),
      );
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= bytesMax) {
        chunks.push(chunk);
      } else {
        chunks.length = 0;
        if (bytes > DROPPED_BYTES_MAX + bytesMax) tooLarge();
      }
    });
    request.on("end", () => (bytes > bytesMax ? tooLarge() : resolve(Buffer.concat(chunks, bytes))));
    // Without the end before it, the sender is gone; its socket's error, if any, is `http`'s to handle.
    request.on("close", () => reject(new Error("the publisher went away before its body ended")));
    request.on("error", reject);
  });
}
