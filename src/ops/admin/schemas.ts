/**
 * What the admin API takes and answers. One set of schemas: requests are validated by them, the OpenAPI document is
 * made from them, and the tests hold every answer against them. Times are milliseconds since the Unix epoch (`…AtMs`),
 * durations milliseconds (`…Ms`), sizes bytes (`…Bytes`). Nothing here holds a secret.
 */
import { z } from "zod";

const count = () => z.int().min(0);
const at = (what: string) =>
  z.number().meta({ description: `${what}, in milliseconds since the Unix epoch` });
const ms = (what: string) => z.number().meta({ description: `${what}, in milliseconds` });
const transport = z.enum(["sse", "websocket"]);
const perTransport = z.object({ sse: count(), websocket: count() });

export const Finding = z
  .object({
    code: z.string(),
    severity: z.enum(["failure", "warning"]),
    message: z.string().meta({ description: "what is wrong and what to do, for people" }),
  })
  .meta({ id: "Finding" });

export const Health = z
  .object({
    level: z.enum(["well", "warning", "failure"]),
    sentence: z.string().meta({ description: "the answer to: is all well? In one sentence" }),
    reasons: z.array(Finding),
  })
  .meta({ id: "Health" });

export const Overview = z
  .object({
    atMs: at("when these numbers were read"),
    version: z.string(),
    startedAtMs: at("when the gateway was started"),
    epoch: z.string().meta({ description: "the log's epoch, as in every cursor" }),
    health: Health,
    connections: perTransport,
    connectionsMax: count(),
    opened: count().meta({ description: "connections opened since the start" }),
    closed: count().meta({ description: "connections closed since the start" }),
    resets: count().meta({ description: "connections of clients that ended by a reset, since the start" }),
    closedByReason: z.record(z.string(), count()),
    subscribers: count(),
    topics: count(),
    published: count().meta({ description: "events published by clients and feeds, since the start" }),
    deliveries: count().meta({ description: "events handed to connections, since the start" }),
    slowConsumers: count().meta({ description: "connections that read too slowly, since the start" }),
    authFailures: count(),
    errors: count(),
    lagMs: z.object({ p50: z.number().nullable(), p99: z.number().nullable() }).meta({
      description:
        "from a connection's first queued frame to its write, over the last 10 s, as upper bounds of buckets",
    }),
    memory: z.object({
      residentBytes: count(),
      limitBytes: count().nullable(),
      step: z.int().meta({ description: "0 calm, 1 nobody new, 2 log trimmed, 3 connections sent away" }),
    }),
    log: z.object({ bytes: count(), bytesMax: count(), events: count(), head: count() }),
    queuedBytes: count(),
    cpu: z.number().meta({ description: "share of one core that the process used over the last second" }),
    links: z.record(z.string(), count()).meta({ description: "links of all feeds, by state" }),
    feeds: count(),
    reconnects: count(),
    gaps: count(),
    databaseConnections: z.record(z.string(), count()),
    certificateExpiresAtMs: z.number().nullable(),
    sweepReclaimed: count(),
    draining: z.boolean(),
  })
  .meta({ id: "Overview" });

/** What history keeps as how many came in a step. */
export const COUNTED = [
  "opened",
  "closed",
  "resets",
  "published",
  "deliveries",
  "errors",
  "authFailures",
  "slowConsumers",
  "reconnects",
  "gaps",
] as const;

/** What history keeps. The names are those of the columns in `History.series`. */
export const SERIES = [
  "connectionsSse",
  "connectionsWebsocket",
  "subscribers",
  "topics",
  ...COUNTED,
  "linksOpen",
  "linksNotOpen",
  "residentBytes",
  "heapBytes",
  "queuedBytes",
  "logBytes",
  "lagP99Ms",
  "cpu",
] as const;
export type SeriesName = (typeof SERIES)[number];

export const History = z
  .object({
    stepMs: ms("distance of two samples"),
    startAtMs: at("the first sample's time"),
    series: z.record(z.enum(SERIES), z.array(z.number().nullable())).meta({
      description:
        "one number a step, oldest first. Amounts are as they were at the step's end, of what is counted (opened, closed, resets, published, deliveries, errors, authFailures, slowConsumers, reconnects, gaps) it is how many in the step; null: not known",
    }),
  })
  .meta({ id: "History" });

export const Connection = z
  .object({
    id: z.string(),
    transport,
    state: z.enum(["open", "closed"]),
    address: z.string(),
    user: z.string().meta({ description: '"" for anonymous' }),
    kind: z.enum(["anonymous", "user", "token"]),
    role: z.string().nullable(),
    openedAtMs: at("when it was opened"),
    closedAtMs: z.number().nullable(),
    reason: z.string().nullable().meta({ description: "why it ended, from the closed list of reasons" }),
    ageMs: ms("how long it has lived, or did"),
    subscribers: count(),
    queuedBytes: count().meta({ description: "bytes that wait for the client" }),
  })
  .meta({ id: "Connection" });

export const Connections = z
  .object({
    connections: z.array(Connection),
    total: count().meta({ description: "how many there are that the filter lets through" }),
    open: count(),
  })
  .meta({ id: "Connections" });

export const Subscriber = z
  .object({
    connection: z.string(),
    transport,
    user: z.string(),
    selector: z.string().meta({ description: "topic or pattern" }),
    type: z
      .string()
      .meta({ description: "how the selector matches: exact, urlpattern, uri-template, any …" }),
  })
  .meta({ id: "Subscriber" });

export const ConnectionDetail = z
  .object({ connection: Connection, subscribers: z.array(Subscriber) })
  .meta({ id: "ConnectionDetail" });

export const Subscribers = z
  .object({ subscribers: z.array(Subscriber), total: count() })
  .meta({ id: "Subscribers" });

export const Topic = z
  .object({
    name: z.string(),
    subscribers: count().meta({ description: "exact ones; patterns are not counted here" }),
    hasState: z.boolean(),
    lastSequence: count().nullable().meta({ description: "of the newest event that the log holds" }),
    feed: z.string().nullable().meta({ description: "the feed that it comes from" }),
  })
  .meta({ id: "Topic" });

export const Topics = z.object({ topics: z.array(Topic), total: count() }).meta({ id: "Topics" });

export const LinkFailure = z
  .object({ reason: z.string(), meaning: z.string(), message: z.string(), atMs: at("when it happened") })
  .meta({ id: "LinkFailure" });

export const Link = z
  .object({
    id: z.int(),
    state: z.string().meta({ description: "idle, connecting, open, waiting, rejected or ended" }),
    stateSinceMs: at("since when"),
    openedAtMs: z.number().nullable(),
    nextAttemptAtMs: z.number().nullable(),
    takingOver: z.boolean().meta({ description: "it takes over another link's keys" }),
    keys: count(),
    events: count(),
    bytes: count(),
    lastByteAtMs: z.number().nullable(),
    resets: count(),
    reconnects: count(),
    lastFailure: LinkFailure.nullable(),
  })
  .meta({ id: "Link" });

export const LinkBand = z
  .object({
    link: z.int(),
    changes: z.array(z.tuple([z.number(), z.string()])).meta({
      description: "[time, state] pairs, oldest first; the last state lasts until now or `endedAtMs`",
    }),
    endedAtMs: z.number().nullable(),
  })
  .meta({ id: "LinkBand" });

export const Feed = z
  .object({
    name: z.string(),
    topic: z.string(),
    access: z.enum(["private", "public"]),
    hosts: z.array(z.string()).meta({ description: "origins of its URLs; no path, no query" }),
    keysWanted: count(),
    keysLingering: count(),
    keysQuarantined: count(),
    keysMax: count().nullable(),
    linksMax: count(),
    sockets: count(),
    events: count(),
    gaps: count(),
    resets: count(),
    reconnects: z.record(z.string(), count()),
    links: z.array(Link),
    bands: z
      .array(LinkBand)
      .meta({ description: "the links' lives over the last hour, those that are gone too" }),
  })
  .meta({ id: "Feed" });

export const Feeds = z.object({ atMs: at("now"), feeds: z.array(Feed) }).meta({ id: "Feeds" });

export const User = z
  .object({
    name: z.string(),
    role: z.string(),
    disabled: z.boolean(),
    createdAtMs: at("when it was added"),
    updatedAtMs: at("when it was changed"),
    connections: count(),
  })
  .meta({ id: "User" });

export const Users = z
  .object({ users: z.array(User), next: z.string().nullable().meta({ description: "give it as `after`" }) })
  .meta({ id: "Users" });

export const Session = z
  .object({
    id: z.string(),
    user: z.string(),
    createdAtMs: at("sign-in"),
    refreshedAtMs: at("the last refresh"),
    expiresAtMs: at("the refresh token's end"),
    revokedAtMs: z.number().nullable(),
    connections: count(),
  })
  .meta({ id: "Session" });

export const Sessions = z.object({ sessions: z.array(Session) }).meta({ id: "Sessions" });

export const ErrorGroup = z
  .object({
    room: z.string(),
    code: z.string(),
    peer: z.string().meta({
      description: 'a client\'s address, a feed, "" where there is none; "others" beyond the bound',
    }),
    kind: z
      .enum(["error", "end"])
      .meta({ description: "something that failed, or the end of a connection or link" }),
    count: count(),
    firstAtMs: at("the first time"),
    lastAtMs: at("the last time"),
    sample: z.string().meta({ description: "what was said the last time; no secret in it" }),
    advice: z.string().meta({ description: "what it means and what to do" }),
  })
  .meta({ id: "ErrorGroup" });

export const Errors = z
  .object({
    groups: z.array(ErrorGroup),
    total: count(),
    recent: z
      .array(z.object({ minuteAtMs: z.number(), count: count() }))
      .meta({ description: "the last hour" }),
  })
  .meta({ id: "Errors" });

export const Configuration = z
  .object({
    yaml: z.string().meta({ description: "what is in force, defaults put in, secrets hidden" }),
    file: z.string().nullable(),
    loadedAtMs: at("when it was taken over"),
  })
  .meta({ id: "Configuration" });

export const Changed = z.object({ changed: count() }).meta({ id: "Changed" });
export const Draining = z
  .object({ draining: z.literal(true), timeoutMs: ms("how long goodbyes may take") })
  .meta({ id: "Draining" });

export const Problem = z
  .object({ error: z.string(), error_description: z.string() })
  .meta({ id: "Problem", description: "in the fields of RFC 6749, section 5.2" });

// What is asked.

const text = (max: number) => z.string().max(max);
const limit = (max: number, standard: number) => z.coerce.number().int().min(1).max(max).default(standard);
const offset = z.coerce.number().int().min(0).max(1_000_000).default(0);

export const HistoryQuery = z.object({ step: z.enum(["1s", "10s", "1m"]).default("1s") });
export const ConnectionsQuery = z.object({
  search: text(128).default("").meta({ description: "part of the id, address, user, role or reason" }),
  transport: transport.optional(),
  state: z.enum(["open", "closed", "all"]).default("open").meta({ description: "closed: the last thousand" }),
  sort: z.enum(["age", "queue", "subscribers", "user", "address"]).default("age"),
  order: z.enum(["ascending", "descending"]).default("descending"),
  limit: limit(500, 100),
  offset,
});
export const SubscribersQuery = z.object({
  topic: text(1024).meta({ description: "a topic: who gets its events, by whatever selector" }),
  limit: limit(500, 100),
  offset,
});
export const TopicsQuery = z.object({ search: text(256).default(""), limit: limit(500, 100), offset });
export const UsersQuery = z.object({ after: text(64).optional(), limit: limit(500, 100) });
export const ErrorsQuery = z.object({ search: text(128).default(""), limit: limit(500, 100) });
export const ConnectionParams = z.object({ id: text(64) });
export const LinkParams = z.object({ feed: text(64), link: z.coerce.number().int().min(0) });
export const UserParams = z.object({ name: text(64) });
export const SessionParams = z.object({ id: text(128) });
export const CloseBody = z
  .object({ reconnect: z.boolean().default(true).meta({ description: "whether the client may come back" }) })
  .default({ reconnect: true });
