import type { FastifyInstance } from "fastify";
import { adminRoutes } from "#ops/admin/http-routes.ts";
import { MERCURE_COOKIE } from "#protocol/mercure.ts";
import { adminCallerOf } from "./caller.ts";
import { ConnectionsView } from "./connections-view.ts";
import { GatewayDesk, type GatewayDeskParts, VERSION } from "./desk.ts";
import { FeedsView } from "./feeds-view.ts";
import { AdminLive } from "./live.ts";
import { dashboardPages } from "./pages.ts";
import { Sampler } from "./sampler.ts";

export type { ConfigText } from "./desk.ts";
export { ConnectionsView, FeedsView };

/** What goes on for administrators' sake, once a second. */
export interface Admin {
  tick(): void;
}

/** Puts the admin API and the dashboard on the web framework. */
export async function serveAdmin(
  app: FastifyInstance,
  parts: Omit<GatewayDeskParts, "sampler">,
): Promise<Admin> {
  const { views, desk, errors, clock, authenticator, log, feeds } = parts;
  const sampler = new Sampler({ views, hub: desk.hub, errors, clock });
  const gateway = new GatewayDesk({ ...parts, sampler });
  const live = new AdminLive({ hub: desk.hub, desk: gateway, linkChanges: () => feeds.changes, log });
  await app.register(adminRoutes, {
    desk: gateway,
    version: VERSION,
    cookieName: MERCURE_COOKIE,
    callerOf: (request) => adminCallerOf(authenticator, request),
  });
  await app.register(dashboardPages);
  return {
    tick: () => {
      sampler.tick();
      live.tick();
    },
  };
}
