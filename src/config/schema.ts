import type { z } from "zod";
import {
  clusterFault,
  databaseFault,
  feedUrlFault,
  grantFault,
  headerValueFault,
  hostFault,
  jwksUriFault,
  originFault,
  pointerFault,
  proxyFault,
  topicTemplateFault,
} from "./strings.ts";
import {
  boolean,
  bytes,
  choice,
  duration,
  integer,
  list,
  memory,
  named,
  orNull,
  section,
  text,
} from "./values.ts";

/**
 * The contract of `streamkeeper.yaml`: every key, its default as people write it, its bounds and its meaning. The
 * documentation and the JSON Schema are made from it. Relations between keys are in `relations.ts`.
 */
const grants = (what: string) =>
  list(text("topic, pattern or *", "a topic or pattern", grantFault), what, 1000);

const role = section({
  subscribe: grants("topics and patterns")
    .prefault([])
    .describe(
      "Topics that holders may subscribe to: topics, URL patterns such as `/quotes/*`, or `*` for all.",
    ),
  publish: grants("topics and patterns").prefault([]).describe("Topics that holders may publish to."),
  admin: boolean()
    .prefault(false)
    .describe("Whether holders may see metrics and reasons, and use the dashboard and its API."),
});

const trustedIssuer = section({
  issuer: text("text", "the issuer's name, as in its tokens' iss", filled).describe("Its tokens' `iss`."),
  jwksUri: text("URL", "an https:// URL", jwksUriFault).describe(
    "Where its public keys are (JWKS). https, or http on loopback.",
  ),
  audience: text("text", "the audience that its tokens must name", filled)
    .prefault("streamkeeper")
    .describe("What its tokens' `aud` must hold."),
});

const feedUrl = text("URL", "an http:// or https:// URL", feedUrlFault);

const feed = section({
  url: orNull(feedUrl)
    .prefault(null)
    .describe(
      "Where the feed is. `{keys}`: many keys on a link, joined by commas; `{key}`: one key on a link; neither: one link. Either this or `urls`.",
    ),
  urls: list(feedUrl, "http:// or https:// URLs", 16)
    .prefault([])
    .describe("Equal servers of one feed, instead of `url`; all with the same placeholder."),
  topic: text("topic", "a topic such as /quotes/{key}", topicTemplateFault).describe(
    "The topic of its events; `{key}` stands for an event's key.",
  ),
  headers: named(text("text", "a header value", headerValueFault), "header names to values", 64)
    .prefault({})
    .describe("Headers of every request to the feed. Take secrets from the environment."),
  tls: orNull(
    section({
      ca: orNull(text("path", "a path to a PEM file", pathFault))
        .prefault(null)
        .describe(
          "PEM file of the authorities that the feed's certificate may come from, and no others. Absent: the system's.",
        ),
      cert: orNull(text("path", "a path to a PEM file", pathFault))
        .prefault(null)
        .describe(
          "PEM file of the client certificate that is shown to the feed's own servers, followed by its intermediates.",
        ),
      key: orNull(text("path", "a path to a PEM file", pathFault))
        .prefault(null)
        .describe("PEM file of the client certificate's private key, not encrypted. With `cert` only."),
    }),
  )
    .prefault(null)
    .describe("TLS with the feed. Certificates are verified, always."),
  items: orNull(text("JSON Pointer", "a JSON Pointer, or null", pointerFault))
    .prefault(null)
    .describe(
      'JSON Pointer (RFC 6901), in an event\'s data, to an array of at most 10,000 items; `""` is the data itself. Absent: the data is one item.',
    ),
  key: orNull(text("JSON Pointer", "a JSON Pointer, or null", pointerFault))
    .prefault(null)
    .describe(
      "JSON Pointer, in an item, to its key. Needed with `{keys}`. Absent: the key that the link was opened for, if any.",
    ),
  state: choice("none", "last", "merge")
    .prefault("none")
    .describe(
      "What a new subscriber gets first: nothing, the topic's last item, or its items merged (RFC 7396).",
    ),
  access: choice("private", "public")
    .prefault("private")
    .describe("`public`: anyone may subscribe, without signing in."),
  pool: section({
    keysPerLink: integer(1, 10_000).prefault(50).describe("Most keys on one link. With `{key}` it is 1."),
    linksMax: integer(1, 1000).prefault(8).describe("Most links at once."),
    linger: duration("0s", "1d")
      .prefault("30s")
      .describe("How long a key is kept after its last subscriber has left."),
    gather: duration("0s", "10s")
      .prefault("50ms")
      .describe("How long new keys are gathered before a link is opened for them."),
  })
    .prefault({})
    .describe("The feed's links."),
  health: section({
    connectTimeout: duration("100ms", "5m")
      .prefault("10s")
      .describe("How long a link may take from dialling to the response's headers."),
    idleTimeout: duration("1s", "1d")
      .prefault("45s")
      .describe(
        "A link is stale, and is replaced, when no byte came for so long. Above the feed's own heartbeat.",
      ),
    rotateAfter: duration("1m", "30d")
      .prefault("12h")
      .describe("Age at which a link is replaced before it breaks, spread by jitter."),
    eventBytesMax: bytes("1KiB", "64MiB")
      .prefault("1MiB")
      .describe(
        "Largest event that is taken. A larger one ends the link; when it comes again it is passed over, and its topics' subscribers are told of a gap.",
      ),
  })
    .prefault({})
    .describe("When a link counts as broken or old."),
  retry: section({
    min: duration("10ms", "1h")
      .prefault("250ms")
      .describe(
        "Width of the first backoff window; the wait is drawn from the whole window. The feed's `retry:` replaces it.",
      ),
    max: duration("10ms", "1d")
      .prefault("30s")
      .describe("Width of the widest window. Also the pace at which a feed that refuses is asked again."),
    resetAfter: duration("0s", "1d")
      .prefault("10s")
      .describe("How long a link must have been healthy before the backoff starts anew."),
  })
    .prefault({})
    .describe("Reconnecting: exponential backoff with full jitter."),
});

export const fileSchema = section({
  listen: section({
    host: text("host name or IP address", "a host name or IP address", hostFault)
      .prefault("127.0.0.1")
      .describe("Address to listen on. `0.0.0.0` or `::` for every one."),
    port: integer(0, 65_535).prefault(8080).describe("TCP port. 0 takes a free one."),
    allowPlaintext: boolean()
      .prefault(false)
      .describe(
        "Whether plain HTTP is allowed off loopback. Passwords and tokens then cross the network in the clear, unless a proxy in front ends TLS.",
      ),
    metrics: choice("private", "public")
      .prefault("private")
      .describe(
        "Who sees `/metrics` and the reasons on `/readyz`: `private` is direct loopback peers and admin tokens.",
      ),
    origins: list(text("origin", "an origin", originFault), "origins such as https://app.example.com", 1000)
      .prefault([])
      .describe("Origins of web pages, besides the gateway's own, that may connect."),
    trustedProxies: list(
      text("IP address or range", "an IP address or range", proxyFault),
      "IP addresses and ranges",
      1000,
    )
      .prefault([])
      .describe("Proxies whose `X-Forwarded-For` and `X-Forwarded-Proto`, or `Forwarded`, are believed."),
    http2: boolean()
      .prefault(true)
      .describe(
        "Whether HTTP/2 is offered beside HTTP/1.1, over TLS: a browser then has all its streams on one connection. WebSocket stays on HTTP/1.1.",
      ),
    compression: orNull(
      section({
        threshold: bytes("64", "1MiB").prefault("1KiB").describe("Smaller messages are sent as they are."),
        windowBits: integer(9, 15)
          .prefault(12)
          .describe("How far back repetitions are looked for: 2 to this power bytes."),
        memLevel: integer(1, 9).prefault(5).describe("Memory that compressing a message may take, of zlib."),
        inflations: integer(1, 64)
          .prefault(4)
          .describe("Most messages of clients that are inflated at once; the others wait."),
      }),
    )
      .prefault(null)
      .describe(
        "Compression of WebSocket messages (permessage-deflate, no context kept), with clients that offer it; `{}` takes the defaults. Each event is compressed once for all. Null: none.",
      ),
  })
    .prefault({})
    .describe("The listener."),
  tls: orNull(
    section({
      cert: text("path", "a path to a PEM file", pathFault).describe(
        "PEM file of the certificate, followed by its intermediates.",
      ),
      key: text("path", "a path to a PEM file", pathFault).describe(
        "PEM file of the certificate's private key, not encrypted.",
      ),
    }),
  )
    .prefault(null)
    .describe("Absent: plain HTTP, which is refused off loopback unless `listen.allowPlaintext`."),
  database: text("sqlite:PATH or postgres:// URL", "sqlite: and a path, or a postgres:// URL", databaseFault)
    .prefault("sqlite:data/streamkeeper.db")
    .describe("Users, sessions and signing keys. `sqlite::memory:` forgets them at exit."),
  auth: section({
    issuer: text("text", "a name", filled)
      .prefault("streamkeeper")
      .describe("`iss` of the access tokens that the gateway signs."),
    audience: text("text", "a name", filled)
      .prefault("streamkeeper")
      .describe("`aud` of the access tokens that the gateway signs."),
    accessTokenTtl: duration("10s", "1d").prefault("15m").describe("How long an access token is good."),
    refreshTokenTtl: duration("1m", "365d")
      .prefault("30d")
      .describe("How long a refresh token is good. It is replaced whenever it is used."),
    trustedIssuers: list(trustedIssuer, "mappings of issuer, jwksUri, audience", 32)
      .prefault([])
      .describe("Others whose tokens are accepted (RFC 9068, with Mercure's `authorization_details`)."),
    anonymous: section({
      subscribe: grants("topics and patterns")
        .prefault([])
        .describe("Topics that anyone may subscribe to without signing in."),
    })
      .prefault({})
      .describe("What is allowed to those who have not signed in."),
    roles: named(role, "role names to roles", 1000)
      .prefault({ admin: { subscribe: ["*"], publish: ["*"], admin: true } })
      .describe("The roles that users can have. Where given, only those given exist."),
  })
    .prefault({})
    .describe("Who may do what."),
  feeds: named(feed, "feed names to feeds", 256).prefault({}).describe("The upstream feeds, by name."),
  log: section({
    bytesMax: bytes("64KiB", "64GiB")
      .prefault("64MiB")
      .describe("Memory that the log may take; the oldest events go first."),
    ageMax: duration("1s", "30d").prefault("10m").describe("How long an event can be replayed."),
    stateBytesMax: bytes("64KiB", "64GiB")
      .prefault("64MiB")
      .describe("Memory that the topics' states may take; those not used for longest go first."),
    persist: orNull(text("path", "a path to a directory", directoryFault))
      .prefault(null)
      .describe(
        "Directory of the gateway's own, made if need be, where the log outlives a restart: clients then resume across it. It takes up to twice `bytesMax` of disk. Null: memory only.",
      ),
  })
    .prefault({})
    .describe("The hub's memory of events, from which clients resume."),
  limits: section({
    connections: integer(1, 1_000_000).prefault(20_000).describe("Most downstream connections at once."),
    connectionsPerUser: integer(1, 1_000_000).prefault(100).describe("Most connections of one user."),
    connectionsPerAddress: integer(1, 1_000_000)
      .prefault(1000)
      .describe("Most connections from one IP address."),
    connectionsPerSecond: integer(1, 1_000_000)
      .prefault(5000)
      .describe("Most new connections in a second; as many may come at once after a quiet second."),
    commandsPerSecond: integer(1, 100_000)
      .prefault(100)
      .describe(
        "Most commands of one WebSocket client in a second, on average; those of ten seconds, and one for each subscriber it may have, may come at once.",
      ),
    idleTimeout: duration("10s", "30d")
      .prefault("10m")
      .describe("How long a WebSocket client may be without subscription and send no command."),
    connectionAge: orNull(duration("1m", "365d"))
      .prefault(null)
      .describe(
        "Greatest age of a connection, for those to come. It is sent away to reconnect in the last quarter of that time, and so finds the nodes that were added since. Null: none.",
      ),
    subscribersPerConnection: integer(1, 100_000)
      .prefault(500)
      .describe("Most topics and patterns that one connection may be subscribed to."),
    queueBytes: bytes("16KiB", "1GiB")
      .prefault("1MiB")
      .describe("Most bytes that may wait for one client. What then happens, `slowConsumer` says."),
    requestBytes: bytes("1KiB", "64MiB")
      .prefault("64KiB")
      .describe("Largest request body and WebSocket message."),
    memory: memory()
      .prefault("80%")
      .describe(
        "Memory that the process stays below: a share of the cgroup's memory, else the machine's, or a size. At 85% of it no new connections are taken; at 92%, or after three seconds of that, log and states are trimmed; at 97% the heaviest connections are sent away.",
      ),
  })
    .prefault({})
    .describe("Bounds."),
  slowConsumer: choice("disconnect", "conflate")
    .prefault("disconnect")
    .describe(
      "What happens to a client that does not read as fast as events come: it is sent away to resume later, or it gets each topic's latest event only.",
    ),
  heartbeat: section({
    interval: duration("1s", "10m")
      .prefault("25s")
      .describe("Time between heartbeats to each client. Below the idle time-out of every proxy between."),
    timeout: duration("100ms", "5m")
      .prefault("10s")
      .describe("How long a WebSocket client may take to answer a ping. Below `interval`."),
  })
    .prefault({})
    .describe("Liveness of clients."),
  drain: section({
    timeout: duration("0s", "1h")
      .prefault("20s")
      .describe("How long a stop may take; clients are sent away over this time, and it ends hard."),
  })
    .prefault({})
    .describe("The orderly stop."),
  cluster: orNull(text("redis:// URL", "a redis:// or rediss:// URL, or null", clusterFault))
    .prefault(null)
    .describe("Redis or Valkey that joins several gateways into one hub. Null: this gateway alone."),
  compat: section({
    mercure07: boolean()
      .prefault(false)
      .describe(
        "Whether the older Mercure draft is spoken as well: `topic=`, the `mercure` claim, the `mercureAuthorization` cookie.",
      ),
  })
    .prefault({})
    .describe("Older clients."),
});

/** A file's content, valid by itself, in the file's own shape, with units resolved: durations in ms, sizes in bytes. */
export type FileConfig = z.output<typeof fileSchema>;
export type FileFeed = FileConfig["feeds"][string];

function filled(found: string): string | null {
  return found.trim() !== "" && found.length <= 1024 ? null : "a name of 1 to 1024 characters";
}

function pathFault(found: string): string | null {
  return found !== "" && !found.includes("\0") ? null : "a path to a PEM file";
}

function directoryFault(found: string): string | null {
  return found !== "" && !found.includes("\0") ? null : "a path to a directory";
}
