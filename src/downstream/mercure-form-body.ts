import type { IncomingMessage } from "node:http";
import { Refusal } from "./mercure-refusal.ts";

/** Of a body that is too large, so much is read and dropped that most senders are still there to read the answer. */
const DROPPED_BYTES_MAX = 1024 * 1024;

/**
 * The body of a request as `parseForm` wants it, one character a byte.
 *
 * @throws Refusal 415 for another kind of body, 413 for one larger than `bytesMax`; `Error` when the sender goes away
 *   before its end
 */
export async function readForm(request: IncomingMessage, bytesMax: number): Promise<string> {
  if (!FORM.test(request.headers["content-type"] ?? "")) {
    throw new Refusal(415, "not_a_form", "send the fields as application/x-www-form-urlencoded");
  }
  return (await readBody(request, bytesMax)).toString("latin1");
}

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

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
