import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import { ENDPOINTS, type Endpoint } from "./endpoints.ts";
import { openApiDocument } from "./openapi.ts";
import type { AdminDesk } from "./ports.ts";

/** Who asks. `foreign`: a page of another origin, whatever it shows. `unknown`: no valid token. */
export type AdminCaller =
  | { readonly verdict: "admin"; readonly name: string }
  | { readonly verdict: "unknown" | "refused" | "foreign" };

export interface AdminRoutesOptions {
  readonly desk: AdminDesk;
  readonly version: string;
  /** The cookie that signing in sets. */
  readonly cookieName: string;
  readonly callerOf: (request: FastifyRequest["raw"]) => Promise<AdminCaller>;
}

const BODY_BYTES_MAX = 4096;

/**
 * `/admin/api/…`. Whoever is not an administrator, or comes from a page of another origin, gets nothing, not even
 * whether a path exists.
 */
export const adminRoutes: FastifyPluginAsync<AdminRoutesOptions> = async (app, options) => {
  const callers = new WeakMap<FastifyRequest, string>();

  app.addHook("onRequest", async (request, reply) => {
    guard(reply);
    const caller = await options.callerOf(request.raw);
    if (caller.verdict === "admin") {
      callers.set(request, caller.name);
      return;
    }
    await refuse(reply, caller.verdict);
  });

  const document = openApiDocument(options.version, options.cookieName);
  app.get("/admin/api/openapi.json", async () => document);

  for (const endpoint of ENDPOINTS) {
    app.route({
      method: endpoint.method,
      url: `/admin/api${endpoint.path.replaceAll(/\{(\w+)\}/g, ":$1")}`,
      bodyLimit: BODY_BYTES_MAX,
      handler: async (request, reply) => {
        const input = inputOf(endpoint, request);
        if ("fault" in input) return problem(reply, 400, "invalid_request", input.fault);
        const answer = await endpoint.run(options.desk, input, callers.get(request) ?? "");
        if (answer === null) return problem(reply, 404, "not_found", "there is no such thing (any more)");
        return answer;
      },
    });
  }

  // Within this plugin's hooks, so that only administrators learn that there is nothing.
  app.all("/admin/api/*", async (_request, reply) =>
    problem(reply, 404, "not_found", "there is nothing at this path: see /admin/api/openapi.json"),
  );
};

type Input =
  | {
      readonly params: Record<string, unknown>;
      readonly query: Record<string, unknown>;
      readonly body: unknown;
    }
  | { readonly fault: string };

function inputOf(endpoint: Endpoint, request: FastifyRequest): Input {
  const params = endpoint.params.safeParse(request.params);
  if (!params.success) return { fault: faultOf(params.error) };
  const query = endpoint.query.safeParse(request.query);
  if (!query.success) return { fault: faultOf(query.error) };
  const body = endpoint.body?.safeParse(request.body ?? undefined);
  if (body !== undefined && !body.success) return { fault: faultOf(body.error) };
  return { params: params.data, query: query.data, body: body?.data };
}

function faultOf(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join(".") || "body"}: ${message}`).join("; ");
}

function refuse(reply: FastifyReply, verdict: "unknown" | "refused" | "foreign"): FastifyReply {
  if (verdict === "foreign") {
    return problem(reply, 403, "access_denied", "only the gateway's own pages may use the admin API");
  }
  if (verdict === "refused") {
    reply.header("www-authenticate", 'Bearer realm="streamkeeper", error="insufficient_scope"');
    return problem(reply, 403, "insufficient_scope", "this needs a role with `admin: true`");
  }
  reply.header("www-authenticate", 'Bearer realm="streamkeeper"');
  return problem(reply, 401, "unauthorized", "sign in first: POST /auth/login");
}

function problem(reply: FastifyReply, status: number, error: string, description: string): FastifyReply {
  return reply.code(status).send({ error, error_description: description });
}

function guard(reply: FastifyReply): void {
  reply.headers({
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    vary: "authorization, cookie, origin",
  });
}
