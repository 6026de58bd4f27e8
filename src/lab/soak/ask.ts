import { type IncomingMessage, request as requestPlain } from "node:http";
import { request as requestTls } from "node:https";
import type { Clock } from "#base/clock.ts";
import type { Door } from "./client.ts";

export interface Answered {
  readonly status: number;
  readonly body: string;
}

const BODY_MAX = 4 << 20;

/**
 * One request on a connection of its own, with the first token.
 *
 * @param body of a form; null: none
 * @throws when the connection fails or the answer is not there in time
 */
export async function ask(
  { port, ca, tokens }: Door,
  method: "GET" | "POST",
  path: string,
  body: string | null,
  withinMs: number,
  clock: Clock,
): Promise<Answered> {
  const headers: Record<string, string> = { authorization: `Bearer ${tokens[0]}` };
  if (body !== null) headers["content-type"] = "application/x-www-form-urlencoded";
  const options = { host: "127.0.0.1", port, path, method, headers, agent: false } as const;
  const request =
    ca === null ? requestPlain(options) : requestTls({ ...options, ca, servername: "localhost" });
  using _deadline = clock.after(withinMs, () => request.destroy(new Error("no answer in time")));
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    request.on("error", reject);
    request.end(body ?? undefined);
  });
  let text = "";
  for await (const chunk of response) {
    text += String(chunk);
    if (text.length > BODY_MAX) throw new RangeError("the answer is too long");
  }
  return { status: response.statusCode ?? 0, body: text };
}
