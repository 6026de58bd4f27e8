import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "#base/errors.ts";
import { MERCURE_PATH } from "#protocol/mercure.ts";
import { preflightHeaders } from "./cors.ts";
import type { Desk } from "./desk.ts";
import { answer, refuse, STREAM_HEADERS } from "./mercure-answer.ts";
import { Refusal } from "./mercure-refusal.ts";
import { publishUpdate } from "./publish.ts";
import { openStream, refuseSoftly } from "./sse.ts";

/**
 * Everything at `/.well-known/mercure`. It stands beside the web framework, since a stream's socket is taken over.
 *
 * @returns a handler that answers true for a request that is its own, and false for one that it left alone
 */
export function mercureHandler(desk: Desk): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const url = request.url ?? "";
    const mark = url.indexOf("?");
    if ((mark < 0 ? url : url.slice(0, mark)) !== MERCURE_PATH) return false;
    serve(desk, request, response).catch((error: unknown) => fail(desk, request, response, error));
    return true;
  };
}

async function serve(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  switch (request.method) {
    case "GET":
      return await openStream(desk, request, response);
    case "POST":
      return await publishUpdate(desk, request, response);
    case "HEAD":
      return answer(desk, request, response, 200, STREAM_HEADERS, "");
    case "OPTIONS":
      return answer(
        desk,
        request,
        response,
        204,
        { Allow: ALLOWED, ...preflightHeaders(request.headers, desk.origins) },
        "",
      );
    default:
      return answer(desk, request, response, 405, { Allow: ALLOWED }, "");
  }
}

const ALLOWED = "GET, HEAD, POST, OPTIONS";

function fail(desk: Desk, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    desk.log.error({ error: messageOf(error) }, "a request failed after its answer had begun");
    request.socket.destroy();
  } else if (error instanceof Refusal && (error.status < 500 || request.method !== "GET")) {
    refuse(desk, request, response, error);
  } else {
    if (!(error instanceof Refusal)) desk.log.error({ error: messageOf(error) }, "a request failed");
    // An event source that is answered an error gives up for ever.
    if (request.method === "GET") refuseSoftly(desk, request, response, "server_error");
    else refuse(desk, request, response, new Refusal(500, "server_error", "the gateway failed; try again"));
  }
}
