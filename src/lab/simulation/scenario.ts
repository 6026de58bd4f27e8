import type { FeedConfig } from "#config/config.ts";
import type { DownstreamLimits } from "#downstream/desk.ts";
import { Chance } from "./chance.ts";

/** A feed of a run: how the gateway is told of it, and how it behaves. */
export interface FeedPlan {
  readonly name: string;
  readonly settings: FeedConfig;
  /** Whether its events have ids, after which it resumes. */
  readonly hasIds: boolean;
  readonly keys: readonly string[];
  /** Time between two of its events, on average. */
  readonly everyMs: number;
  /** How often it sends a comment, so that its links are not taken for dead. */
  readonly commentEveryMs: number;
}

/** A client of a run. */
export interface ClientPlan {
  readonly name: string;
  readonly transport: "sse" | "websocket";
  readonly user: string;
  readonly address: string;
  /** What it may be interested in; null: everything, by a pattern. */
  readonly topics: readonly string[] | null;
  /** How long it mostly stays, and stays away. */
  readonly staysMs: number;
  readonly awayMs: number;
}

/** Everything of a run that does not change in it. */
export interface Scenario {
  readonly feeds: readonly FeedPlan[];
  readonly clients: readonly ClientPlan[];
  readonly limits: DownstreamLimits;
  readonly heartbeat: { readonly intervalMs: number; readonly timeoutMs: number };
  readonly slowConsumer: "disconnect" | "conflate";
  readonly log: { readonly bytesMax: number; readonly ageMaxMs: number };
  readonly stateBytesMax: number;
  readonly drainMs: number;
}

/** Parts that a run goes without, so that a shorter one can be found that fails the same way. */
export interface Cut {
  /** So many feeds and clients of those that the seed gives; absent: all. */
  readonly feeds?: number | undefined;
  readonly clients?: number | undefined;
}

/** What a seed stands for. */
export function scenarioOf(seed: number, cut: Cut = {}): Scenario {
  const chance = new Chance(seed, "scenario");
  const feeds = FEED_KINDS.map((kind, at) => feedOf(seed, at, kind)).slice(0, cut.feeds);
  const topics = feeds.flatMap(({ settings, keys }) =>
    keys.map((key) => settings.topic.replace("{key}", key)),
  );
  const count = chance.whole(6, 11);
  const clients = Array.from({ length: count }, (_, at) => clientOf(seed, at, [...topics, ...CHATS]));
  const intervalMs = chance.pick([60_000, 90_000, 120_000]);
  return {
    feeds,
    clients: clients.slice(0, cut.clients),
    limits: {
      connections: chance.whole(8, 40),
      connectionsPerUser: chance.whole(4, 20),
      connectionsPerAddress: chance.whole(5, 40),
      connectionsPerSecond: chance.whole(5, 50),
      commandsPerSecond: 50,
      idleTimeoutMs: 3_600_000,
      connectionAgeMs: chance.pick([null, 4 * 3_600_000]),
      subscribersPerConnection: 50,
      queueBytes: QUEUE_BYTES,
      requestBytes: 16 * 1024,
    },
    heartbeat: { intervalMs, timeoutMs: intervalMs / 3 },
    slowConsumer: chance.happens(0.3) ? "conflate" : "disconnect",
    log: { bytesMax: chance.whole(400, 2000) * 1024, ageMaxMs: chance.pick([120_000, 600_000, 1_800_000]) },
    stateBytesMax: 256 * 1024,
    drainMs: chance.whole(5, 30) * 1000,
  };
}

const QUEUE_BYTES = 128 * 1024;

/** Topics that clients publish to. */
const CHATS: readonly string[] = ["/chat/a", "/chat/b"];

interface FeedKind {
  readonly addressing: FeedConfig["addressing"];
  readonly hasIds: boolean;
  readonly items: boolean;
  readonly state: FeedConfig["state"];
}

/** One of each, so that every way of carrying keys occurs in every run. */
const FEED_KINDS: readonly FeedKind[] = [
  { addressing: "keys", hasIds: true, items: false, state: "none" },
  { addressing: "keys", hasIds: false, items: false, state: "last" },
  { addressing: "key", hasIds: true, items: false, state: "last" },
  { addressing: "none", hasIds: true, items: false, state: "none" },
  { addressing: "keys", hasIds: true, items: true, state: "merge" },
];

function feedOf(seed: number, at: number, { addressing, hasIds, items, state }: FeedKind): FeedPlan {
  const chance = new Chance(seed, "feed", at);
  const name = `f${at}`;
  // Small enough that a feed is full now and then.
  const keysPerLink = addressing === "keys" ? chance.whole(1, 4) : 50;
  const count = addressing === "key" ? 4 : chance.whole(4, 9);
  const idleTimeoutMs = chance.pick([90_000, 180_000]);
  const query = addressing === "none" ? "" : addressing === "key" ? "?key={key}" : "?keys={keys}";
  return {
    name,
    hasIds,
    keys: Array.from({ length: count }, (_, key) => `K${key}`),
    everyMs: chance.between(40_000, 240_000),
    commentEveryMs: idleTimeoutMs / 2,
    settings: {
      name,
      urls: [`http://${name}.invalid/events${query}`],
      addressing,
      topic: `/${name}/{key}`,
      headers: {},
      tls: null,
      items: items ? "/items" : null,
      key: addressing === "key" ? null : "/key",
      state,
      access: "private",
      pool: {
        keysPerLink,
        linksMax: addressing === "none" ? 1 : chance.whole(2, 4),
        lingerMs: chance.whole(1, 60) * 1000,
        gatherMs: chance.whole(0, 200),
      },
      health: {
        connectTimeoutMs: 10_000,
        idleTimeoutMs,
        rotateAfterMs: chance.pick([0, 1_800_000, 7_200_000]),
        eventBytesMax: 64 * 1024,
      },
      retry: { minMs: chance.whole(100, 1000), maxMs: chance.whole(10, 30) * 1000, resetAfterMs: 10_000 },
    },
  };
}

function clientOf(seed: number, at: number, topics: readonly string[]): ClientPlan {
  const chance = new Chance(seed, "client", at);
  const isVisitor = chance.happens(0.3);
  return {
    name: `c${at}`,
    transport: at % 2 === 0 ? "sse" : "websocket",
    user: `u${chance.whole(0, 3)}`,
    address: `10.0.0.${chance.whole(1, 3)}`,
    topics: at % 2 === 0 && chance.happens(0.2) ? null : chance.some(topics, chance.whole(2, 7)),
    staysMs: isVisitor ? chance.between(20_000, 300_000) : chance.between(1_800_000, 20_000_000),
    awayMs: isVisitor ? chance.between(60_000, 1_200_000) : chance.between(1_000, 400_000),
  };
}
