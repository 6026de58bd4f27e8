import type { IncomingMessage, ServerResponse } from "node:http";
import { messageOf } from "#base/errors.ts";
import { MERCURE_PATH } from "#protocol/mercure.ts";
import { METADATA_PATH } from "#protocol/mercure-metadata.ts";
import { parseSubscriptionsPath } from "#protocol/mercure-subscription.ts";
import { preflightHeaders } from "./cors.ts";
import type { Desk } from "./desk.ts";
import { answer, refuse, STREAM_HEADERS } from "./mercure-answer.ts";
import { answerMetadata, answerSubscriptions } from "./mercure-discovery.ts";
import { Refusal } from "./mercure-refusal.ts";
import { publishUpdate } from "./publish.ts";
import { openStream, refuseSoftly } from "./sse.ts";

/**
 * Everything at `/.well-known/mercure`, its list of subscriptions and its metadata. It stands beside the web framework, since a stream's socket is taken over.
 *
 * @returns a handler that answers true for a request that is its own, and false for one that it left alone
 */
export function mercureHandler(desk: Desk): (request: IncomingMessage, response: ServerResponse) => boolean {
  return (request, response) => {
    const url = request.url ?? "";
    const mark = url.indexOf("?");
    const path = mark < 0 ? url : url.slice(0, mark);
    const served = serve(desk, request, response, path);
    if (served === null) return false;
    served.catch((error: unknown) => fail(desk, request, response, error));
    return true;
  };
}

/** Null: the path is none of the hub's. */
function serve(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
): Promise<void> | null {
  if (path === MERCURE_PATH) return serveHub(desk, request, response);
  const isMetadata = path === METADATA_PATH;
  const query = isMetadata ? null : parseSubscriptionsPath(path);
  if (!isMetadata && query === null) return null;
  return serveDocument(desk, request, response, async () => {
    if (query === null) answerMetadata(desk, request, response);
    else await answerSubscriptions(desk, request, response, path, query);
  });
}

/** What can only be read. */
async function serveDocument(
  desk: Desk,
  request: IncomingMessage,
  response: ServerResponse,
  read: () => Promise<void>,
): Promise<void> {
  if (request.method === "GET" || request.method === "HEAD") return await read();
  const headers = { Allow: "GET, HEAD, OPTIONS" };
  if (request.method !== "OPTIONS") return answer(desk, request, response, 405, headers, "");
  const preflight = preflightHeaders(request.headers, desk.origins);
  return answer(desk, request, response, 204, { ...headers, ...preflight }, "");
}

async function serveHub(desk: Desk, request: IncomingMessage, response: ServerResponse): Promise<void> {
  switch (request.method) {
    case "GET":
    case "QUERY":
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

const ALLOWED = "GET, HEAD, QUERY, POST, OPTIONS";

function fail(desk: Desk, request: IncomingMessage, response: ServerResponse, error: unknown): void {
  const isStream =
    (request.method === "GET" || request.method === "QUERY") &&
    (request.url ?? "").split("?", 1)[0] === MERCURE_PATH;
  if (response.headersSent) {
    desk.log.error({ error: messageOf(error) }, "a request failed after its answer had begun");
    request.socket.destroy();
  } else if (error instanceof Refusal && (error.status < 500 || !isStream)) {
    refuse(desk, request, response, error);
  } else {
    if (!(error instanceof Refusal)) desk.log.error({ error: messageOf(error) }, "a request failed");
    // An event source that is answered an error gives up for ever.
    if (isStream) refuseSoftly(desk, request, response, "server_error");
    else refuse(desk, request, response, new Refusal(500, "server_error", "the gateway failed; try again"));
  }
}
