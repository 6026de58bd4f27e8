import type { IncomingMessage } from "node:http";
import formbody from "@fastify/formbody";
import type { FastifyError, FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import { MERCURE_COOKIE } from "#protocol/mercure.ts";
import { bearerChallenge, bearerToken, cookieValue } from "#protocol/mercure-challenge.ts";
import { pageOriginOf } from "#protocol/page-origin.ts";
import { AuthError } from "./auth-error.ts";
import type { Authenticator, Session } from "./authenticator.ts";
import type { Identity } from "./identity.ts";
import { sessionFields } from "./session-fields.ts";

export interface AuthRoutesOptions {
  readonly authenticator: Authenticator;
  /** The client's address behind trusted proxies. */
  readonly addressOf: (request: IncomingMessage) => string;
  /** Browser origins, besides the gateway's own, whose pages may sign in and out. */
  readonly origins: ReadonlySet<string>;
}

/** Largest body of these requests: a name, a password and their encoding. */
const BODY_BYTES_MAX = 16 * 1024;

/**
 * `POST /auth/login`, `/auth/refresh`, `/auth/logout`, `GET /auth/me`, `GET /.well-known/jwks.json`. Answers have the
 * field names of RFC 6749, errors those of RFC 6749, section 5.2 and RFC 6750. Bodies are JSON or forms.
 */
export const authRoutes: FastifyPluginAsync<AuthRoutesOptions> = async (app, options) => {
  const { authenticator, addressOf, origins } = options;
  if (!app.hasContentTypeParser("application/x-www-form-urlencoded")) {
    await app.register(formbody, { bodyLimit: BODY_BYTES_MAX });
  }
  app.setErrorHandler(answerError);

  app.addHook("onRequest", async (request, reply) => {
    reply.header("cache-control", "no-store");
    const { origin } = request.headers;
    const source = pageOriginOf(request.headers, origins);
    if (source === "listed" && origin !== undefined) {
      reply.header("access-control-allow-origin", origin).header("access-control-allow-credentials", "true");
    }
    reply.header("vary", "origin");
    if (request.method !== "POST") return;
    // Also without a cookie: a foreign page must not sign its visitor in as somebody else.
    if (
      source === "foreign" ||
      (source === "unknown" && cookieTokenOf(request) !== null && !hasBearer(request))
    ) {
      throw new Refusal(403, "access_denied", "this origin may not sign in or out: add it to listen.origins");
    }
  });

  app.options("/auth/*", async (_request, reply) => {
    reply
      .header("access-control-allow-methods", "GET, POST")
      .header("access-control-allow-headers", "authorization, content-type")
      .header("access-control-max-age", "600");
    return reply.code(204).send();
  });

  const limited = { bodyLimit: BODY_BYTES_MAX };

  app.post("/auth/login", limited, async (request, reply) => {
    const login = fieldOf(request.body, "login") ?? fieldOf(request.body, "username");
    const password = fieldOf(request.body, "password");
    if (login === null || password === null) {
      throw new Refusal(400, "invalid_request", "send login and password, as JSON or as a form");
    }
    return answerSession(reply, await authenticator.login(login, password, originOf(request)));
  });

  app.post("/auth/refresh", limited, async (request, reply) => {
    const token = fieldOf(request.body, "refresh_token");
    if (token === null) throw new Refusal(400, "invalid_request", "send refresh_token, as JSON or as a form");
    return answerSession(reply, await authenticator.refresh(token, originOf(request)));
  });

  app.post("/auth/logout", limited, async (request, reply) => {
    const refreshToken = fieldOf(request.body, "refresh_token");
    const accessToken = accessTokenOf(request);
    if (refreshToken !== null) await authenticator.logout(refreshToken);
    const identity = accessToken === null ? null : await identityIfGood(authenticator, accessToken);
    if (identity !== null) await authenticator.logout(identity);
    reply.header("set-cookie", cookie("", 0));
    return reply.code(204).send();
  });

  app.get("/auth/me", async (request, reply) => {
    const token = accessTokenOf(request);
    if (token === null) {
      reply.code(401).header("www-authenticate", bearerChallenge(null));
      return { error: "invalid_request", error_description: "no access token was shown" };
    }
    return describe(await authenticator.fromToken(token));
  });

  app.get("/.well-known/jwks.json", async (_request, reply) => {
    reply.header("cache-control", "public, max-age=300").header("access-control-allow-origin", "*");
    return authenticator.jwks();
  });

  function originOf(request: FastifyRequest) {
    return { address: addressOf(request.raw) };
  }
};

/** An answer that is an error, in the fields of RFC 6749, section 5.2. */
class Refusal extends Error {
  readonly status: number;
  readonly error: string;

  constructor(status: number, error: string, description: string) {
    super(description);
    this.status = status;
    this.error = error;
  }
}

function answerError(thrown: FastifyError | Error, _request: FastifyRequest, reply: FastifyReply): void {
  const refusal = refusalOf(thrown);
  if (refusal === null) throw thrown;
  if (thrown instanceof AuthError && thrown.retryAfterS !== null)
    reply.header("retry-after", thrown.retryAfterS);
  if (refusal.status === 401)
    reply.header("www-authenticate", bearerChallenge("invalid_token", refusal.message));
  reply.code(refusal.status).send({ error: refusal.error, error_description: refusal.message });
}

function refusalOf(thrown: FastifyError | Error): Refusal | null {
  if (thrown instanceof Refusal) return thrown;
  if (thrown instanceof AuthError) {
    const [status, error] = AUTH_STATUS[thrown.code];
    return new Refusal(status, error, thrown.message);
  }
  // The framework's own: a body that is malformed, too large, or of a type that is not taken.
  const status = "statusCode" in thrown ? thrown.statusCode : undefined;
  if (status === undefined || status < 400 || status > 499) return null;
  return new Refusal(status, "invalid_request", thrown.message);
}

/** RFC 6749, section 5.2 for what signs in; RFC 6750, section 3.1 for access tokens. */
const AUTH_STATUS = {
  invalid_token: [401, "invalid_token"],
  token_expired: [401, "invalid_token"],
  token_revoked: [401, "invalid_token"],
  wrong_credentials: [400, "invalid_grant"],
  disabled: [400, "invalid_grant"],
  invalid_refresh_token: [400, "invalid_grant"],
  refresh_token_reused: [400, "invalid_grant"],
  too_many_attempts: [429, "temporarily_unavailable"],
  busy: [503, "temporarily_unavailable"],
  issuer_unreachable: [503, "temporarily_unavailable"],
} as const satisfies Record<AuthError["code"], readonly [number, string]>;

function answerSession(reply: FastifyReply, session: Session) {
  reply.header("set-cookie", cookie(session.accessToken, session.expiresInS)).header("pragma", "no-cache");
  return sessionFields(session);
}

/** Mercure draft-08, "Cookie". The path is the whole site, since the WebSocket and the dashboard need it too. */
function cookie(token: string, maxAgeS: number): string {
  return `${MERCURE_COOKIE}=${token}; Path=/; Max-Age=${maxAgeS}; Secure; HttpOnly; SameSite=Strict`;
}

/** Who one is and what one may do; the topics as they are written in the role or the token. */
function describe(identity: Identity) {
  return {
    user: identity.user,
    kind: identity.kind,
    role: identity.role,
    admin: identity.admin,
    expires_at: identity.expiresAtMs === null ? null : new Date(identity.expiresAtMs).toISOString(),
    subscribe: identity.subscribe.matchers.map((matcher) => matcher.pattern),
    publish: identity.publish.matchers.map((matcher) => matcher.pattern),
  };
}

async function identityIfGood(authenticator: Authenticator, token: string): Promise<Identity | null> {
  try {
    return await authenticator.fromToken(token);
  } catch (error) {
    if (error instanceof AuthError) return null;
    throw error;
  }
}

function accessTokenOf(request: FastifyRequest): string | null {
  const { authorization } = request.headers;
  if (authorization === undefined) return cookieTokenOf(request);
  const token = bearerToken(authorization);
  if (token === null)
    throw new AuthError("invalid_token", "the Authorization field must be Bearer and an access token");
  return token;
}

function hasBearer(request: FastifyRequest): boolean {
  return request.headers.authorization !== undefined;
}

function cookieTokenOf(request: FastifyRequest): string | null {
  const { cookie: field } = request.headers;
  const token = field === undefined ? null : cookieValue(field, MERCURE_COOKIE);
  return token === "" ? null : token;
}

function fieldOf(body: unknown, name: string): string | null {
  if (typeof body !== "object" || body === null) return null;
  const value = Object.getOwnPropertyDescriptor(body, name)?.value;
  return typeof value === "string" && value !== "" ? value : null;
}
