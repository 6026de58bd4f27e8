import { WebSocket } from "ws";
import { ask, explainRequestError, explainStatus, type HttpAnswer } from "../check/http.ts";
import { StepFailure, within } from "../check/step.ts";
import type { CheckTarget } from "../check/target.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** What a sign-in gave, whichever way it came. */
export interface SignedIn {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly role: string;
  readonly expiresInS: number;
}

/** What `GET /auth/me` says one may. */
export interface Allowed {
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly admin: boolean;
  readonly expiresAt: string;
}

const FRAME_BYTES_MAX = 64 * 1024;
const WRONG =
  "Set the password with `streamkeeper user passwd`, or see `streamkeeper user list` for who exists and is enabled.";
const SOMETHING_ELSE =
  "Something else answers there: --url must be the gateway's root; check the routes of any proxy.";

export async function signInOverHttp(
  target: CheckTarget,
  { user, password }: Credentials,
  signal: AbortSignal,
): Promise<SignedIn> {
  const answer = await post(target, "/auth/login", { login: user, password }, signal);
  if (answer.status === 400 || answer.status === 401) throw new StepFailure(descriptionOf(answer), WRONG);
  if (answer.status === 429) {
    throw new StepFailure(
      descriptionOf(answer),
      "Wait for as long as told; the right password ends the count.",
    );
  }
  if (answer.status !== 200) throw explainStatus("POST /auth/login", answer);
  return signedInOf(parse(answer.body), "POST /auth/login");
}

/** Asks, with the access token, what it allows. */
export async function askWhatIsAllowed(
  target: CheckTarget,
  token: string,
  signal: AbortSignal,
): Promise<Allowed> {
  const answer = await ask(target, "/auth/me", { headers: { authorization: `Bearer ${token}` } }, signal);
  if (answer.status === 401) {
    throw new StepFailure(
      "the access token that was just given is not accepted",
      "Check that --url reaches one gateway, or several with the same database.",
    );
  }
  if (answer.status !== 200) throw explainStatus("GET /auth/me", answer);
  const me = parse(answer.body);
  if (!isObject(me) || !isTexts(me.subscribe) || !isTexts(me.publish)) {
    throw new StepFailure("GET /auth/me answered 200, but not with an identity", SOMETHING_ELSE);
  }
  return {
    subscribe: me.subscribe,
    publish: me.publish,
    admin: me.admin === true,
    expiresAt: String(me.expires_at),
  };
}

/** The Centrifuge `connect` command with login and password in `data`. */
export async function signInOverWebSocket(
  target: CheckTarget,
  { user, password }: Credentials,
  signal: AbortSignal,
): Promise<SignedIn> {
  const url = target.url("/connection/websocket");
  url.protocol = target.secure ? "wss:" : "ws:";
  const socket = new WebSocket(url, "centrifuge-json", {
    perMessageDeflate: false,
    maxPayload: FRAME_BYTES_MAX,
    ...(target.ca === undefined ? {} : { ca: [...target.ca] }),
  });
  const command = { id: 1, connect: { name: "streamkeeper-login", data: { login: user, password } } };
  try {
    return connectedOf(await within(signal, firstAnswer(socket, JSON.stringify(command))));
  } catch (thrown) {
    throw explainRequestError(thrown, target);
  } finally {
    // After an error `terminate` may emit another.
    socket.on("error", () => {});
    socket.terminate();
  }
}

/** The test leaves no session behind. */
export async function signOut(
  target: CheckTarget,
  sessions: readonly SignedIn[],
  signal: AbortSignal,
): Promise<void> {
  for (const { refreshToken } of sessions) {
    const answer = await post(target, "/auth/logout", { refresh_token: refreshToken }, signal);
    if (answer.status !== 204) throw explainStatus("POST /auth/logout", answer);
  }
}

function post(target: CheckTarget, path: string, body: object, signal: AbortSignal): Promise<HttpAnswer> {
  const headers = { "content-type": "application/json", accept: "application/json" };
  return ask(target, path, { method: "POST", headers, body: JSON.stringify(body) }, signal);
}

function firstAnswer(socket: WebSocket, command: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    socket.once("open", () => socket.send(command));
    socket.once("message", (data) => resolve(parse(String(data).split("\n")[0] ?? "")));
    socket.once("error", reject);
    socket.once("close", (code, reason) => {
      const text = reason.length === 0 ? "" : `: ${reason}`;
      reject(
        new StepFailure(
          `the gateway closed the connection with code ${code}${text}`,
          "docs/reasons.md tells what each close code means and what to do.",
        ),
      );
    });
  });
}

function connectedOf(reply: unknown): SignedIn {
  if (isObject(reply) && isObject(reply.error)) {
    const { code, message } = reply.error;
    const told = `connect was answered with error ${code}: ${message}`;
    throw new StepFailure(told, code === 103 ? WRONG : "docs/reasons.md tells what each error code means.");
  }
  const data = isObject(reply) && isObject(reply.connect) ? reply.connect.data : undefined;
  return signedInOf(data, "connect");
}

function signedInOf(fields: unknown, what: string): SignedIn {
  if (isObject(fields)) {
    const { access_token: accessToken, refresh_token: refreshToken, role, expires_in: expiresInS } = fields;
    if (
      typeof accessToken === "string" &&
      typeof refreshToken === "string" &&
      typeof expiresInS === "number"
    ) {
      return { accessToken, refreshToken, role: String(role), expiresInS };
    }
  }
  throw new StepFailure(`${what} was answered, but with no tokens`, SOMETHING_ELSE);
}

function descriptionOf(answer: HttpAnswer): string {
  const body = parse(answer.body);
  const description = isObject(body) ? body.error_description : undefined;
  return typeof description === "string" ? description : `POST /auth/login answered ${answer.status}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((text) => typeof text === "string");
}
