import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from "fastify";
import type { Readiness } from "./health.ts";
import { isDirectLoopback } from "./insider.ts";
import type { GatewayMetrics } from "./metrics.ts";

export interface OpsRoutesOptions {
  readonly metrics: GatewayMetrics;
  /** Asked at every `/readyz`; an error counts as not ready. */
  readonly readiness: () => Readiness | Promise<Readiness>;
  /** Whether an access token is an administrator's. Refusing by an error is the same as false. */
  readonly isAdminToken: (token: string) => Promise<boolean>;
  /** `listen.metrics: public`: metrics and reasons for everybody. */
  readonly metricsPublic: () => boolean;
}

type Caller = "insider" | "unknown" | "refused";

/**
 * `/healthz`, `/readyz`, `/metrics`. Numbers and reasons are for direct loopback peers and administrators, unless they
 * are public; others get a bare 200 or 503, and 401 or 403 (RFC 6750) for the metrics.
 */
export const opsRoutes: FastifyPluginAsync<OpsRoutesOptions> = async (app, options) => {
  app.get("/healthz", async (_request, reply) => {
    guard(reply);
    return { status: "ok" };
  });

  app.get("/readyz", async (request, reply) => {
    guard(reply);
    const [caller, answer] = await Promise.all([callerOf(request, options), ask(options.readiness)]);
    reply.code(answer.ready ? 200 : 503);
    const status = answer.ready ? "ready" : "not ready";
    return caller === "insider" ? { status, reasons: answer.reasons } : { status };
  });

  app.get("/metrics", async (request, reply) => {
    guard(reply);
    const caller = await callerOf(request, options);
    if (caller === "insider")
      return reply.type(options.metrics.contentType).send(await options.metrics.render());
    if (caller === "refused") {
      reply.code(403).header("www-authenticate", `Bearer error="insufficient_scope"`);
      return { error: "insufficient_scope", error_description: "metrics are shown to administrators only" };
    }
    reply.code(401).header("www-authenticate", "Bearer");
    return { error: "unauthorized", error_description: "metrics need an administrator's access token" };
  });
};

async function callerOf(request: FastifyRequest, options: OpsRoutesOptions): Promise<Caller> {
  if (options.metricsPublic()) return "insider";
  if (isDirectLoopback({ address: request.raw.socket.remoteAddress, headers: request.raw.headers }))
    return "insider";
  const token = /^Bearer +([\w.~+/-]+=*)$/i.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined) return "unknown";
  try {
    return (await options.isAdminToken(token)) ? "insider" : "refused";
  } catch {
    return "unknown";
  }
}

async function ask(question: OpsRoutesOptions["readiness"]): Promise<Readiness> {
  try {
    return await question();
  } catch {
    return { ready: false, reasons: [] };
  }
}

/** What these answers are not for: caches, frames, scripts of other origins, guesses at their type. */
function guard(reply: FastifyReply): void {
  reply.headers({
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
  });
}
