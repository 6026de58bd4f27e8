import type { IncomingMessage } from "node:http";
import type { Authenticator } from "#auth/authenticator.ts";
import type { AdminCaller } from "#ops/admin/http-routes.ts";
import { MERCURE_COOKIE } from "#protocol/mercure.ts";
import { bearerToken, cookieValue } from "#protocol/mercure-challenge.ts";
import { pageOriginOf } from "#protocol/page-origin.ts";

const NO_ORIGINS: ReadonlySet<string> = new Set();

/**
 * Who uses the admin API. Pages of other origins never do, those in `listen.origins` neither. A cookie counts only where
 * the browser says that the gateway's own page sends it: else any page could act with it.
 */
export async function adminCallerOf(
  authenticator: Authenticator,
  request: IncomingMessage,
): Promise<AdminCaller> {
  const { authorization, cookie } = request.headers;
  const source = pageOriginOf(request.headers, NO_ORIGINS);
  if (source === "foreign") return { verdict: "foreign" };
  let token: string | null = null;
  if (authorization !== undefined) token = bearerToken(authorization);
  else if (source === "own" && cookie !== undefined) token = cookieValue(cookie, MERCURE_COOKIE);
  if (token === null) return { verdict: "unknown" };
  try {
    const identity = await authenticator.fromToken(token);
    return identity.admin ? { verdict: "admin", name: identity.user } : { verdict: "refused" };
  } catch {
    return { verdict: "unknown" };
  }
}
