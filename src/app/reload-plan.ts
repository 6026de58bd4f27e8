import type { Config } from "#config/config.ts";

/** Parts of the configuration that a running gateway takes over, each with all below it. Everything else waits for a restart. */
const LIVE = [
  "listen.allowPlaintext",
  "listen.metrics",
  "listen.origins",
  "listen.trustedProxies",
  "tls.cert",
  "tls.key",
  "auth.accessTokenTtl",
  "auth.refreshTokenTtl",
  "auth.trustedIssuers",
  "auth.anonymous",
  "auth.roles",
  "feeds",
  "log.bytesMax",
  "log.ageMax",
  "limits",
  "slowConsumer",
  "heartbeat",
  "drain",
];

export interface ReloadPlan {
  /** Paths of what differs, as the file spells them. Never values: they may be secret. */
  readonly changed: readonly string[];
  /** Those of them that a running gateway can't take over. Any one of them refuses the whole. */
  readonly refused: readonly string[];
}

/** What a reload from one configuration to another would change. Pure. */
export function planReload(before: Config, after: Config): ReloadPlan {
  const changed = differences(spelt(before), spelt(after), "");
  const refused = changed.filter(
    (path) => !LIVE.some((live) => path === live || path.startsWith(`${live}.`)),
  );
  return { changed, refused };
}

type Tree = Readonly<Record<string, unknown>>;

/** Feeds by name, as in the file. */
function spelt(config: Config): Tree {
  return { ...config, feeds: Object.fromEntries(config.feeds.map((feed) => [feed.name, feed])) };
}

function differences(before: Tree, after: Tree, parent: string): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].flatMap((name) => {
    const [old, next] = [before[name], after[name]];
    // The unit is the code's, not the file's.
    const path = `${parent}${name.replace(/Ms$/, "")}`;
    if (isTree(old) && isTree(next)) return differences(old, next, `${path}.`);
    return JSON.stringify(old) === JSON.stringify(next) ? [] : [path];
  });
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
