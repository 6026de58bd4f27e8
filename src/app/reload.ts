import type { GatewayAuthenticator } from "#auth/gateway-authenticator.ts";
import { messageOf } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { Config } from "#config/config.ts";
import type { ConnectionRegistry } from "#downstream/connection-registry.ts";
import { SseConnection } from "#downstream/sse-connection.ts";
import type { Hub } from "#hub/hub.ts";
import { CloseReason } from "#protocol/close-reason.ts";
import type { Feeds, PreparedFeeds } from "./feeds.ts";
import type { Listener } from "./listener.ts";
import type { LiveSettings } from "./live-settings.ts";
import { planReload } from "./reload-plan.ts";
import type { LoadedTls } from "./tls.ts";
import type { TlsFiles } from "./tls-files.ts";

/** What a reload changes. */
export interface Reloadable {
  readonly live: LiveSettings;
  readonly hub: Hub;
  readonly authenticator: GatewayAuthenticator;
  readonly feeds: Feeds;
  readonly listener: Listener;
  readonly tls: TlsFiles | null;
  readonly registry: ConnectionRegistry;
  readonly log: Logger;
}

/**
 * Puts another configuration in force, all of it or nothing, within one turn of the event loop.
 *
 *     planned? ──> certificate read ──> feeds opened ──> roles compiled ──> all in force ──> identities renewed
 *        └─────────────┴───────── refused, nothing changed ──┘
 *
 * @returns whether it is in force now; the log says what changed, or why nothing did
 */
export function reload(parts: Reloadable, config: Config): boolean {
  const { live, log } = parts;
  const before = live.config;
  const { changed, refused } = planReload(before, config);
  if (refused.length > 0) {
    log.error({ refused }, "configuration not reloaded, nothing changed: these need a restart");
    return false;
  }
  let feeds: PreparedFeeds | null = null;
  let tls: LoadedTls | null;
  try {
    tls = config.tls === null || parts.tls === null ? null : parts.tls.read(config.tls);
    feeds = parts.feeds.prepare(config.feeds);
    // Compiles everything before it changes anything.
    if (changed.some((path) => path.startsWith("auth."))) parts.authenticator.reconfigure(config.auth);
  } catch (thrown) {
    feeds?.undo();
    const faults = (thrown instanceof Error ? thrown.message : messageOf(thrown)).split("\n");
    log.error({ faults }, "configuration not reloaded, nothing changed");
    return false;
  }
  live.replace(config);
  endHomeless(parts, feeds.commit());
  if (tls !== null) {
    parts.listener.setCertificate(tls.context);
    parts.tls?.replace(tls);
  }
  const sentAway = changed.some(isAboutAccess) ? renewIdentities(parts, before, config) : 0;
  log.info(
    {
      changed,
      sentAway,
      ...(tls === null ? {} : { certificate: tls.subject, expires: new Date(tls.expiresAtMs).toISOString() }),
    },
    "configuration reloaded",
  );
  return true;
}

/**
 * Topics that are subscribed to and have no place in their new feed end, as they would not have begun; who comes back
 * for one is told why.
 */
export function endHomeless({ hub }: { readonly hub: Hub }, topics: readonly string[]): void {
  if (topics.length === 0) return;
  for (const topic of topics) {
    for (const { sink } of [...hub.subscribersOf(topic)]) {
      if (sink instanceof SseConnection) sink.close(CloseReason.feed_full);
    }
  }
  // WebSocket channels end by it with a code upon which their clients subscribe anew.
  hub.markGap(topics, true);
}

/** Whether a change may give or take what connections have. */
function isAboutAccess(path: string): boolean {
  return /^auth\.(roles|anonymous|trustedIssuers)\b/.test(path) || path.startsWith("feeds.");
}

/** Every connection goes on as what its role is now. Answers how many had to end. */
function renewIdentities({ registry, authenticator }: Reloadable, before: Config, after: Config): number {
  const issuersChanged =
    JSON.stringify(before.auth.trustedIssuers) !== JSON.stringify(after.auth.trustedIssuers);
  const sizeBefore = registry.size;
  for (const connection of [...registry]) {
    const { identity } = connection;
    const renewed = authenticator.renewed(identity);
    if (renewed === null) {
      connection.close(CloseReason.invalid_token, "its role is not configured any more");
    } else if (issuersChanged && identity.kind === "token" && identity.role === null) {
      // Whose token it was is not kept: it is shown again, and checked by what holds now.
      connection.close(CloseReason.forced_reconnect, "the trusted issuers changed");
    } else {
      connection.authorise(renewed);
    }
  }
  return sizeBefore - registry.size;
}
