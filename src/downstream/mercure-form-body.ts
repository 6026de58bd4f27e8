import type { IncomingMessage } from "node:http";
import type { BodyBudget } from "./body-budget.ts";
import { Refusal } from "./mercure-refusal.ts";

/** Of a body that is too large, so much is read and dropped that most senders are still there to read the answer. */
const DROPPED_BYTES_MAX = 1024 * 1024;

/**
 * The body of a request as `parseForm` wants it, one character a byte.
 *
 * @param budget what all bodies together may take
 * @throws Refusal 415 for another kind of body, 413 for one larger than `bytesMax`, 503 when the budget is used up;
 *   `Error` when the sender goes away before its end
 */
export async function readForm(
  request: IncomingMessage,
  bytesMax: number,
  budget: BodyBudget,
): Promise<string> {
  if (!FORM.test(request.headers["content-type"] ?? "")) {
    throw new Refusal(415, "not_a_form", "send the fields as application/x-www-form-urlencoded");
  }
  return (await readBody(request, bytesMax, budget)).toString("latin1");
}

const FORM = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

function readBody(request: IncomingMessage, bytesMax: number, budget: BodyBudget): Promise<Buffer> {
  let heldBytes = 0;
  const read = new Promise<Buffer>((resolve, reject) => {
    let chunks: Buffer[] | null = [];
    let bytes = 0;
    const tooLarge = () =>
      reject(
        new Refusal(413, "body_too_large", `the body is larger than ${bytesMax} bytes (limits.requestBytes)`),
      );
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > bytesMax) {
        chunks = null;
        if (bytes > DROPPED_BYTES_MAX + bytesMax) tooLarge();
      } else if (chunks === null) {
        // Refused already. What was held has been given back, so nothing more may be taken.
      } else if (budget.take(chunk.length)) {
        heldBytes += chunk.length;
        chunks.push(chunk);
      } else {
        chunks = null;
        reject(new Refusal(503, "busy", "too many bodies are under way; try again", { retryAfterS: 1 }));
      }
    });
    request.on("end", () => (chunks === null ? tooLarge() : resolve(Buffer.concat(chunks, bytes))));
    // Without the end before it, the sender is gone; its socket's error, if any, is `http`'s to handle.
    request.on("close", () => reject(new Error("the publisher went away before its body ended")));
    request.on("error", reject);
  });
  return read.finally(() => budget.giveBack(heldBytes));
}
