import { resolve as resolvePath } from "node:path";
import type { Addressing, CompressionConfig, Config, FeedConfig } from "./config.ts";
import type { FileConfig, FileFeed } from "./schema.ts";

/** A checked file's content as the rooms want it: units in the names, relative paths taken from `directory`. Pure. */
export function resolveConfig(file: FileConfig, directory: string): Config {
  const { auth } = file;
  const { idleTimeout: idleTimeoutMs, connectionAge: connectionAgeMs, ...limits } = file.limits;
  return {
    listen: {
      ...file.listen,
      compression: file.listen.compression && compressionOf(file.listen.compression),
    },
    tls: file.tls && {
      cert: resolvePath(directory, file.tls.cert),
      key: resolvePath(directory, file.tls.key),
    },
    database: resolveDatabase(file.database, directory),
    auth: {
      issuer: auth.issuer,
      audience: auth.audience,
      accessTokenTtlMs: auth.accessTokenTtl,
      refreshTokenTtlMs: auth.refreshTokenTtl,
      trustedIssuers: auth.trustedIssuers,
      anonymous: auth.anonymous,
      roles: auth.roles,
    },
    feeds: Object.entries(file.feeds).map(([name, feed]) => resolveFeed(name, feed, directory)),
    log: {
      bytesMax: file.log.bytesMax,
      ageMaxMs: file.log.ageMax,
      stateBytesMax: file.log.stateBytesMax,
      persist: file.log.persist && resolvePath(directory, file.log.persist),
    },
    limits: { ...limits, idleTimeoutMs, connectionAgeMs },
    slowConsumer: file.slowConsumer,
    heartbeat: { intervalMs: file.heartbeat.interval, timeoutMs: file.heartbeat.timeout },
    drain: { timeoutMs: file.drain.timeout },
    cluster: file.cluster,
    compat: file.compat,
  };
}

function compressionOf({
  threshold: thresholdBytes,
  inflations: inflationsMax,
  ...window
}: NonNullable<FileConfig["listen"]["compression"]>): CompressionConfig {
  return { thresholdBytes, inflationsMax, ...window };
}

function resolveFeed(name: string, feed: FileFeed, directory: string): FeedConfig {
  const urls = (feed.url === null ? feed.urls : [feed.url]) as [string, ...string[]];
  const addressing = addressingOf(urls[0]);
  const pathOf = (file: string | null) => (file === null ? null : resolvePath(directory, file));
  return {
    name,
    urls,
    addressing,
    topic: feed.topic,
    headers: feed.headers,
    tls: feed.tls && {
      ca: pathOf(feed.tls.ca),
      cert: pathOf(feed.tls.cert),
      key: pathOf(feed.tls.key),
    },
    items: feed.items,
    key: feed.key,
    state: feed.state,
    access: feed.access,
    pool: {
      keysPerLink: addressing === "key" ? 1 : feed.pool.keysPerLink,
      linksMax: feed.pool.linksMax,
      lingerMs: feed.pool.linger,
      gatherMs: feed.pool.gather,
    },
    health: {
      connectTimeoutMs: feed.health.connectTimeout,
      idleTimeoutMs: feed.health.idleTimeout,
      rotateAfterMs: feed.health.rotateAfter,
      eventBytesMax: feed.health.eventBytesMax,
    },
    retry: { minMs: feed.retry.min, maxMs: feed.retry.max, resetAfterMs: feed.retry.resetAfter },
  };
}

function addressingOf(url: string): Addressing {
  return url.includes("{keys}") ? "keys" : url.includes("{key}") ? "key" : "none";
}

function resolveDatabase(database: string, directory: string): string {
  if (!database.startsWith("sqlite:") || database === "sqlite::memory:") return database;
  return `sqlite:${resolvePath(directory, database.slice("sqlite:".length))}`;
}
