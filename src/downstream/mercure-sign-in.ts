import type { IncomingMessage } from "node:http";
import { AuthError } from "#auth/auth-error.ts";
import type { Identity } from "#auth/identity.ts";
import { MERCURE_COOKIE, MERCURE_COOKIE_07 } from "#protocol/mercure.ts";
import { bearerToken, cookieValue } from "#protocol/mercure-challenge.ts";
import { pageOriginOf } from "#protocol/page-origin.ts";
import type { Desk } from "./desk.ts";
import { Refusal } from "./mercure-refusal.ts";

/**
 * Who sends a request: by the field `Authorization`, else by the cookie, else nobody in particular (Mercure,
 * "Presenting the Access Token"). A token that is shown and is not good is refused, never taken for no token.
 *
 * @throws Refusal
 */
export async function signIn(desk: Desk, request: IncomingMessage): Promise<Identity> {
  const { authorization, cookie } = request.headers;
  if (authorization !== undefined) {
    const token = bearerToken(authorization);
    if (token !== null) return identityOf(desk, token);
    throw new Refusal(
      400,
      "invalid_request",
      "the Authorization field must be 'Bearer' and an access token",
      {
        challenge: "invalid_request",
      },
    );
  }
  const token = cookie === undefined ? null : cookieToken(desk, cookie);
  if (token === null) return desk.authenticator.anonymous;
  const source = pageOriginOf(request.headers, desk.origins);
  // What changes something must say where it comes from; a browser always does.
  if (
    source === "foreign" ||
    (source === "unknown" && request.method !== "GET" && request.method !== "HEAD")
  ) {
    throw new Refusal(
      403,
      "origin_not_allowed",
      "cookies are taken from the gateway's own origin and those in listen.origins; use the Authorization field instead",
    );
  }
  return identityOf(desk, token);
}

function cookieToken(desk: Desk, field: string): string | null {
  const token = cookieValue(field, MERCURE_COOKIE);
  return token ?? (desk.mercure07 ? cookieValue(field, MERCURE_COOKIE_07) : null);
}

/**
 * The identity as it is in a later turn than that of its signing in: a role may have changed, a session ended.
 *
 * @throws Refusal
 */
export function stillSignedIn(desk: Desk, identity: Identity): Identity {
  const renewed = desk.authenticator.renewed(identity);
  if (renewed === null) throw invalidToken();
  return renewed;
}

async function identityOf(desk: Desk, token: string): Promise<Identity> {
  try {
    return await desk.authenticator.fromToken(token);
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    if (error.code === "issuer_unreachable" || error.code === "busy") {
      throw new Refusal(503, error.code, error.message, { retryAfterS: error.retryAfterS ?? 1 });
    }
    // Why it failed is told to the log's readers by the metric, not to whoever tries tokens (Mercure, "Error Responses").
    throw invalidToken();
  }
}

function invalidToken(): Refusal {
  return new Refusal(401, "invalid_token", "the access token is not valid, or no longer; sign in again", {
    challenge: "invalid_token",
  });
}
