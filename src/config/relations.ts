import type { Path } from "./fault.ts";
import { plaintextRefusal } from "./plaintext.ts";
import type { FileConfig, FileFeed } from "./schema.ts";
import { UNAVAILABLE } from "./unavailable.ts";

/** A fault between values that are each good by themselves. */
export interface RelationFault {
  readonly path: Path;
  readonly expected: string;
  /** Absent: the value at `path`. */
  readonly found?: string;
  /** Every value that was looked at. With a fault of its own in any of them nothing is said here. */
  readonly involved: readonly Path[];
}

/** Twice what Node keeps in a socket before it says that it is full: less would leave nothing to conflate. */
const CONFLATE_BYTES_MIN = 128 * 1024;

/** What is wrong between the values of a configuration. Pure. */
export function relationFaults(config: FileConfig): RelationFault[] {
  return [
    ...listenFaults(config),
    ...authFaults(config),
    ...Object.entries(config.feeds).flatMap(([name, feed]) => feedFaults(config, name, feed)),
    ...topicFaults(config),
    ...boundFaults(config),
    ...UNAVAILABLE.filter((part) => part.chosen(config)).map(({ path, expected }) => ({
      path,
      expected,
      involved: [path],
    })),
  ];
}

function listenFaults(config: FileConfig): RelationFault[] {
  const expected = plaintextRefusal(config.listen, config.tls !== null);
  const path = ["listen", "host"];
  return expected === null
    ? []
    : [{ path, expected, involved: [path, ["listen", "allowPlaintext"], ["tls"]] }];
}

function authFaults(config: FileConfig): RelationFault[] {
  const { accessTokenTtl, refreshTokenTtl, trustedIssuers, issuer } = config.auth;
  const faults: RelationFault[] = [];
  const [access, refresh]: [Path, Path] = [
    ["auth", "accessTokenTtl"],
    ["auth", "refreshTokenTtl"],
  ];
  if (accessTokenTtl > refreshTokenTtl) faults.push(above(access, refresh));
  const seen = new Map<string, Path>([[issuer, ["auth", "issuer"]]]);
  for (const [index, trusted] of trustedIssuers.entries()) {
    const path: Path = ["auth", "trustedIssuers", index, "issuer"];
    const other = seen.get(trusted.issuer);
    if (other === undefined) seen.set(trusted.issuer, path);
    else
      faults.push({
        path,
        expected: "an issuer that is named once, and is not the gateway itself",
        involved: [path, other],
      });
  }
  return faults;
}

function feedFaults(config: FileConfig, name: string, feed: FileFeed): RelationFault[] {
  const at = (...rest: Path): Path => ["feeds", name, ...rest];
  const faults = [...urlFaults(feed, at), ...feedTlsFaults(feed, at)];
  const topicHasKey = feed.topic.includes("{key}");
  const addressing = feed.url ?? feed.urls[0] ?? "";
  const involved = [at("url"), at("urls"), at("topic"), at("key")];
  if (/\{keys?\}/.test(addressing) && !topicHasKey) {
    faults.push({
      path: at("topic"),
      expected: "a topic with {key}, as the feed is asked for keys",
      involved,
    });
  }
  if (addressing.includes("{keys}") && feed.key === null) {
    faults.push({
      path: at("key"),
      expected: "a JSON Pointer to an item's key, as a link carries many keys",
      found: "none",
      involved,
    });
  }
  if (!addressing.includes("{key") && topicHasKey && feed.key === null) {
    faults.push({
      path: at("key"),
      expected: "a JSON Pointer to an item's key, as the topic has {key}",
      found: "none",
      involved,
    });
  }
  if (feed.key !== null && !topicHasKey && !/\{keys?\}/.test(addressing)) {
    faults.push({ path: at("topic"), expected: "a topic with {key}, as the feed has a key", involved });
  }
  if (feed.retry.min > feed.retry.max) faults.push(above(at("retry", "min"), at("retry", "max")));
  const [event, log] = [at("health", "eventBytesMax"), ["log", "bytesMax"]];
  if (feed.health.eventBytesMax > config.log.bytesMax) faults.push(above(event, log));
  if (feed.health.eventBytesMax > config.limits.queueBytes)
    faults.push(above(event, ["limits", "queueBytes"]));
  return faults;
}

function feedTlsFaults(feed: FileFeed, at: (...rest: Path) => Path): RelationFault[] {
  if (feed.tls === null) return [];
  const { cert, key } = feed.tls;
  const faults: RelationFault[] = [];
  if ((cert === null) !== (key === null)) {
    const missing = cert === null ? "cert" : "key";
    const expected = "cert and key, or neither";
    const involved = [at("tls", "cert"), at("tls", "key")];
    faults.push({ path: at("tls", missing), expected, found: `no ${missing}`, involved });
  }
  const plain = feed.urls.findIndex((url) => !url.startsWith("https:"));
  const path = plain >= 0 ? at("urls", plain) : at("url");
  if (plain >= 0 || (feed.url !== null && !feed.url.startsWith("https:")))
    faults.push({ path, expected: "an https:// URL, as the feed has tls", involved: [path, at("tls")] });
  return faults;
}

function urlFaults(feed: FileFeed, at: (...rest: Path) => Path): RelationFault[] {
  const involved = [at("url"), at("urls")];
  if (feed.url === null && feed.urls.length === 0)
    return [{ path: at("url"), expected: "url, or urls", found: "neither", involved }];
  if (feed.url !== null && feed.urls.length > 0)
    return [{ path: at("urls"), expected: "url or urls, not both", found: "both", involved }];
  const kinds = new Set(feed.urls.map((url) => /\{keys?\}/.exec(url)?.[0] ?? ""));
  if (kinds.size < 2) return [];
  return [
    { path: at("urls"), expected: "the same placeholder in all URLs", found: "different ones", involved },
  ];
}

/** Two feeds whose topics could be the same one: whose event, and whose demand, would it be? */
function topicFaults(config: FileConfig): RelationFault[] {
  const feeds = Object.entries(config.feeds);
  return feeds.flatMap(([name, feed], index) => {
    const path = ["feeds", name, "topic"];
    const other = feeds.slice(0, index).find(([, earlier]) => overlap(earlier.topic, feed.topic));
    if (other === undefined) return [];
    const expected = `a topic that no other feed can have (feeds.${other[0]}.topic is ${JSON.stringify(other[1].topic)})`;
    return [{ path, expected, involved: [path, ["feeds", other[0], "topic"]] }];
  });
}

function boundFaults(config: FileConfig): RelationFault[] {
  const faults: RelationFault[] = [];
  if (config.heartbeat.timeout >= config.heartbeat.interval) {
    const [path, interval] = [
      ["heartbeat", "timeout"],
      ["heartbeat", "interval"],
    ];
    faults.push({ path, expected: "less than heartbeat.interval", involved: [path, interval] });
  }
  if (config.limits.requestBytes > config.limits.queueBytes)
    faults.push(above(["limits", "requestBytes"], ["limits", "queueBytes"]));
  if (config.slowConsumer === "conflate" && config.limits.queueBytes < CONFLATE_BYTES_MIN) {
    const path = ["limits", "queueBytes"];
    const expected = "at least 128KiB with slowConsumer: conflate, as a socket's own buffer is a part of it";
    faults.push({ path, expected, involved: [path, ["slowConsumer"]] });
  }
  return faults;
}

function above(path: Path, limit: Path): RelationFault {
  return { path, expected: `at most ${limit.join(".")}`, involved: [path, limit] };
}

/** Whether some key, or none, makes the same topic of both. A key holds no `/`: the mapping percent-encodes it. */
function overlap(one: string, other: string): boolean {
  const [left, right] = [one.split("/"), other.split("/")];
  return (
    left.length === right.length &&
    left.every((segment, index) => segmentsOverlap(segment, right[index] as string))
  );
}

function segmentsOverlap(one: string, other: string): boolean {
  const [prefix = "", suffix] = one.split("{key}");
  const [otherPrefix = "", otherSuffix] = other.split("{key}");
  if (suffix === undefined && otherSuffix === undefined) return one === other;
  if (suffix === undefined) return segmentsOverlap(other, one);
  if (otherSuffix === undefined) {
    return other.length > prefix.length + suffix.length && other.startsWith(prefix) && other.endsWith(suffix);
  }
  const starts = prefix.startsWith(otherPrefix) || otherPrefix.startsWith(prefix);
  return starts && (suffix.endsWith(otherSuffix) || otherSuffix.endsWith(suffix));
}
