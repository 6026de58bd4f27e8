import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { codeOf } from "#base/errors.ts";
import { explainConnectError } from "./network.ts";
import { type Finding, StepFailure, within } from "./step.ts";
import type { CheckTarget } from "./target.ts";

/** Bytes of an answer's body that are read; what the gateway answers is far smaller. */
const BODY_BYTES_MAX = 64 * 1024;

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export interface RequestOptions {
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Whether the gateway answers HTTP at all. */
export async function checkHttp(target: CheckTarget, signal: AbortSignal): Promise<Finding> {
  const { status, headers, body } = await ask(target, "/healthz", {}, signal);
  const by = headers.server === undefined ? "" : `, answered by ${headers.server}`;
  if (status === 200 && /"status"\s*:\s*"ok"/.test(body)) return { detail: `GET /healthz: 200${by}` };
  if (status === 200) {
    throw new StepFailure(
      `GET /healthz answered 200${by}, but not as Streamkeeper does`,
      "Something else listens there, or a proxy answers in its place: --url must be the gateway's root.",
    );
  }
  throw explainStatus("GET /healthz", { status, headers, body });
}

/** One request on a connection of its own; the whole answer, within bounds. */
export async function ask(
  target: CheckTarget,
  path: string,
  options: RequestOptions,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const request = open(target, target.url(path), options);
  try {
    request.end(options.body);
    const response = await within(signal, answered(request));
    const body = await within(signal, read(response));
    return { status: response.statusCode ?? 0, headers: response.headers, body };
  } catch (thrown) {
    throw explainRequestError(thrown, target);
  } finally {
    request.destroy();
  }
}

/** A request on a connection of its own, not sent yet. The caller ends it. */
export function open(target: CheckTarget, url: URL, options: RequestOptions): ClientRequest {
  const request = (target.secure ? httpsRequest : httpRequest)(url, {
    method: options.method ?? "GET",
    headers: { "user-agent": "streamkeeper-check", ...options.headers },
    agent: false,
    ...(target.ca === undefined ? {} : { ca: [...target.ca] }),
  });
  // From birth to after the end: a reset after the answer must not be an uncaught error.
  request.on("error", () => {});
  return request;
}

export function answered(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once("response", resolve);
    request.once("error", reject);
    request.once("upgrade", (_response, socket) => {
      socket.destroy();
      reject(new StepFailure("the server switched protocols unasked", "Something else listens there."));
    });
  });
}

export async function read(response: IncomingMessage): Promise<string> {
  let body = "";
  response.setEncoding("utf8").on("error", () => {});
  for await (const text of response) {
    body += text;
    if (body.length > BODY_BYTES_MAX) break;
  }
  return body;
}

export function explainRequestError(thrown: unknown, target: CheckTarget): unknown {
  if (thrown instanceof StepFailure) return thrown;
  const code = codeOf(thrown) ?? "";
  if (code.startsWith("HPE_") || (thrown instanceof Error && thrown.message === "socket hang up")) {
    return new StepFailure(
      code === "" || code === "ECONNRESET"
        ? "the connection was closed without an answer"
        : "the answer is not HTTP",
      target.secure
        ? "Something else listens there."
        : "Something else listens there, or the port speaks TLS: try https:// in --url.",
    );
  }
  return explainConnectError(thrown, target);
}

/** What a status means that is not the one hoped for. */
export function explainStatus(what: string, { status, headers, body }: HttpAnswer): StepFailure {
  const said = /"(?:error_description|message)"\s*:\s*"([^"]{1,200})"/.exec(body)?.[1];
  const why = `${what} answered ${status}${said === undefined ? "" : `: ${said}`}`;
  if (status >= 300 && status < 400) {
    return new StepFailure(why, `It redirects to ${withoutQuery(headers.location)}: use that in --url.`);
  }
  if (status === 401)
    return new StepFailure(why, "Sign in with --user NAME, or ask for a topic that is public.");
  if (status === 403)
    return new StepFailure(
      why,
      "The role may not do this: see auth.roles in the configuration, or sign in as another user.",
    );
  if (status === 404) {
    return new StepFailure(
      why,
      "There is no Streamkeeper at this URL: check the path, and the routes of any proxy.",
    );
  }
  if (status === 429)
    return new StepFailure(why, "Too many attempts: wait as long as it says, then try again.");
  if (status === 502 || status === 503 || status === 504) {
    return new StepFailure(
      why,
      "The proxy reaches no gateway, or the gateway drains: look at both of their logs.",
    );
  }
  return new StepFailure(why, "Look at the gateway's log, and at any proxy's, for this request.");
}

function withoutQuery(location: string | undefined): string {
  return location === undefined ? "nowhere" : (location.split("?", 1)[0] as string);
}
