import { Histogram } from "#base/counters.ts";
import type { LinkReason } from "#upstream/link-reason.ts";
import {
  countBy,
  fromCounts,
  fromRecord,
  optional,
  perFeed,
  prefixed,
  type Reading,
  type Scrape,
  single,
  sum,
  total,
} from "./metric-readings.ts";
import type { Counts } from "./views.ts";

export type MetricType = "gauge" | "counter" | "histogram";

export interface MetricDefinition {
  /** Without the prefix `streamkeeper_`. */
  readonly name: string;
  readonly type: MetricType;
  readonly labels: readonly string[];
  /** What is counted or measured. */
  readonly unit: string;
  /** The help text: what it means, and what to make of it. */
  readonly meaning: string;
  readonly read: (scrape: Scrape) => Iterable<Reading>;
}

export const METRIC_PREFIX = "streamkeeper_";

/** Ages of open links: a second to a week. */
const AGE_BOUNDS_S = [1, 10, 60, 600, 3600, 6 * 3600, 24 * 3600, 72 * 3600, 168 * 3600];

/** Ends of links that are ours: nobody wants its keys any more, another link took over, the gateway stops. */
const OWN_ENDS: ReadonlySet<string> = new Set<LinkReason>(["unwanted", "replaced", "closed"]);

const CONNECTION_METRICS: readonly MetricDefinition[] = [
  {
    name: "connections",
    type: "gauge",
    labels: ["transport"],
    unit: "connections",
    meaning: "Downstream connections that are open.",
    read: ({ connections }) => fromRecord(connections.open),
  },
  {
    name: "connections_limit",
    type: "gauge",
    labels: [],
    unit: "connections",
    meaning: "Most downstream connections at once: limits.connections.",
    read: ({ connections }) => single(connections.limit),
  },
  {
    name: "connection_duration_seconds",
    type: "histogram",
    labels: ["transport"],
    unit: "seconds",
    meaning: "Lifetimes of downstream connections that have ended.",
    read: ({ views }) =>
      Object.entries(views.downstream.durationS).map(([transport, held]) => [[transport], held]),
  },
  {
    name: "connections_opened_total",
    type: "counter",
    labels: [],
    unit: "connections",
    meaning: "Downstream connections opened. Less those closed it equals the open ones, always.",
    read: ({ views }) => single(sum(views.downstream.opened)),
  },
  {
    name: "connections_closed_total",
    type: "counter",
    labels: ["transport", "reason"],
    unit: "connections",
    meaning: "Downstream connections closed, each with its one reason.",
    read: ({ views }) => fromCounts(views.downstream.closed, 2),
  },
];

const UPSTREAM_METRICS: readonly MetricDefinition[] = [
  {
    name: "links",
    type: "gauge",
    labels: ["feed", "state"],
    unit: "links",
    meaning:
      "Upstream links by state. A link that is rejected needs an operator: credentials or URL are wrong.",
    read: ({ feeds }) =>
      feeds.flatMap(({ name, links }) =>
        fromCounts(
          countBy(links, (link) => link.state),
          1,
        ).map(([labels, value]): Reading => [[name, ...labels], value]),
      ),
  },
  {
    name: "link_age_seconds",
    type: "histogram",
    labels: [],
    unit: "seconds",
    meaning:
      "Ages of the upstream links that are open at the time of the scrape. A snapshot: counts fall when links end, so use it without rate().",
    read: ({ feeds }) => {
      const ages = new Histogram(AGE_BOUNDS_S);
      for (const { links } of feeds)
        for (const { ageMs } of links) if (ageMs !== null) ages.observe(ageMs / 1000);
      return single(ages);
    },
  },
  {
    name: "link_reconnects_total",
    type: "counter",
    labels: ["feed", "reason"],
    unit: "attempts",
    meaning: "Attempts to open an upstream link again, by the reason for which the last one failed or ended.",
    read: ({ feeds }) => perFeed(feeds, ({ counters }) => counters.reconnects),
  },
  {
    name: "feed_events_total",
    type: "counter",
    labels: ["feed"],
    unit: "events",
    meaning: "Events of topics that a feed brought.",
    read: ({ feeds }) => feeds.map(({ name, counters }) => [[name], counters.events]),
  },
  {
    name: "feed_gaps_total",
    type: "counter",
    labels: ["feed"],
    unit: "gaps",
    meaning:
      "Gaps: outages of a link after which the feed could not replay, and events that were too large or could not be mapped. Clients were told of each.",
    read: ({ feeds }) => feeds.map(({ name, counters }) => [[name], counters.gaps]),
  },
  {
    name: "feed_keys",
    type: "gauge",
    labels: ["feed", "state"],
    unit: "keys",
    meaning:
      "Keys that a feed is asked for: wanted, lingering after their last subscriber, and, of both, quarantined, since the feed rejects them.",
    read: ({ feeds }) =>
      feeds.flatMap(({ name, keys }): Reading[] => [
        [[name, "wanted"], keys.keysWanted],
        [[name, "lingering"], keys.keysLingering],
        [[name, "quarantined"], keys.keysQuarantined],
      ]),
  },
  {
    name: "feed_keys_refused_total",
    type: "counter",
    labels: ["feed", "by"],
    unit: "keys",
    meaning:
      "Keys refused: by the gateway, since every link of the feed was full, and by the feed, asked for one alone, each time.",
    read: ({ feeds }) =>
      feeds.flatMap(({ name, counters }): Reading[] => [
        [[name, "gateway"], counters.keysRefused],
        [[name, "feed"], counters.keysRejected],
      ]),
  },
];

const RESOURCE_METRICS: readonly MetricDefinition[] = [
  {
    name: "subscribers",
    type: "gauge",
    labels: ["transport"],
    unit: "subscribers",
    meaning: "Interests of open connections in a topic or topic pattern.",
    read: ({ connections }) => fromRecord(connections.subscribers),
  },
  {
    name: "topics",
    type: "gauge",
    labels: [],
    unit: "topics",
    meaning: "Topics that are known: with subscribers, held events or state.",
    read: ({ hub }) => single(hub.topics),
  },
  {
    name: "log_bytes",
    type: "gauge",
    labels: [],
    unit: "bytes",
    meaning: "Size of the hub's log of events, bounded by log.bytesMax.",
    read: ({ hub }) => single(hub.logBytes),
  },
  {
    name: "log_disk_bytes",
    type: "gauge",
    labels: [],
    unit: "bytes",
    meaning: "Size of the log's files. Absent without log.persist.",
    read: ({ views }) => optional(views.logOnDisk()?.bytes ?? null),
  },
  {
    name: "log_disk_behind_events",
    type: "gauge",
    labels: [],
    unit: "events",
    meaning:
      "Events of the log that are not in its files yet; a crash now would lose them, and clients would be told. It stays low; one that grows means a disk that is too slow or fails. Absent without log.persist.",
    read: ({ views }) => optional(views.logOnDisk()?.behind ?? null),
  },
  {
    name: "queue_bytes",
    type: "gauge",
    labels: [],
    unit: "bytes",
    meaning: "Bytes queued for all downstream connections, each bounded by limits.queueBytes.",
    read: ({ connections }) => single(connections.queuedBytes),
  },
  {
    name: "memory_limit_bytes",
    type: "gauge",
    labels: [],
    unit: "bytes",
    meaning:
      "The bound that limits.memory puts on the process; compare process_resident_memory_bytes. Absent: none is known.",
    read: ({ views }) => optional(views.memoryLimitBytes()),
  },
  {
    name: "memory_step",
    type: "gauge",
    labels: [],
    unit: "step",
    meaning:
      "How short memory is, by limits.memory: 0 it is not, 1 nobody new is let in, 2 log and states are trimmed, 3 the heaviest connections are sent away.",
    read: ({ views }) => single(views.memoryStep()),
  },
  {
    name: "memory_measures_total",
    type: "counter",
    labels: ["measure"],
    unit: "measures",
    meaning: "What was done because memory was short: close, collect, trim, shed.",
    read: ({ views }) => fromCounts(views.memoryMeasures, 1),
  },
  {
    name: "database_connections",
    type: "gauge",
    labels: ["state"],
    unit: "connections",
    meaning: "Connections or handles to the database, by state.",
    read: ({ views }) => fromRecord(views.databaseConnections()),
  },
  {
    name: "sweep_reclaimed_total",
    type: "counter",
    labels: ["kind"],
    unit: "resources",
    meaning:
      "Resources that the periodic sweep found left behind. Anything above zero is a bug: please report it.",
    read: ({ views }) => fromCounts(views.sweepReclaimed, 1),
  },
];

const ERROR_METRICS: readonly MetricDefinition[] = [
  {
    name: "connection_resets_total",
    type: "counter",
    labels: ["side"],
    unit: "connections",
    meaning:
      "Connections and links that ended by a reset (ECONNRESET, EPIPE), on the side of clients or of feeds.",
    read: ({ views, everyFeed }) => [
      [["downstream"], views.downstream.resets.total],
      [["upstream"], everyFeed.reduce((all, { resets }) => all + resets, 0)],
    ],
  },
  {
    name: "auth_failures_total",
    type: "counter",
    labels: ["method", "reason"],
    unit: "failures",
    meaning: "Credentials that were refused, by how they were shown and why.",
    read: ({ views }) => fromCounts(views.authFailures, 2),
  },
  {
    name: "sse_drops_total",
    type: "counter",
    labels: ["side", "reason"],
    unit: "streams",
    meaning:
      "SSE streams that ended otherwise than wished: of clients (downstream) and of feeds' open links (upstream).",
    read: ({ views, everyFeed }) => [
      ...prefixed("downstream", views.downstream.sseDrops),
      ...prefixed(
        "upstream",
        total(everyFeed, ({ drops }) => drops),
      ).filter(([[, reason]]) => !OWN_ENDS.has(reason as string)),
    ],
  },
  {
    name: "errors_total",
    type: "counter",
    labels: ["room", "code"],
    unit: "errors",
    meaning: "Errors by the room of the house that met them and their code.",
    read: ({ views, everyFeed }) => {
      const errors = new Map<string, number>(views.errors.entries());
      const add = (room: string, counts: Counts) => {
        for (const [code, count] of counts.entries()) {
          const key = `${room}:${code}`;
          errors.set(key, (errors.get(key) ?? 0) + count);
        }
      };
      add("downstream", views.downstream.errors);
      add(
        "upstream",
        total(everyFeed, ({ faults }) => faults),
      );
      return fromCounts(errors, 2);
    },
  },
];

const DELIVERY_METRICS: readonly MetricDefinition[] = [
  {
    name: "events_published_total",
    type: "counter",
    labels: ["source"],
    unit: "events",
    meaning: "Events that entered the hub: from feeds, and from clients by the protocol they published with.",
    read: ({ views, everyFeed }) => [
      [["feed"], everyFeed.reduce((all, { events }) => all + events, 0)],
      ...fromCounts(views.downstream.published, 1),
    ],
  },
  {
    name: "deliveries_total",
    type: "counter",
    labels: ["transport"],
    unit: "events",
    meaning: "Events handed to connections' queues.",
    read: ({ views }) => fromRecord(views.downstream.deliveries),
  },
  {
    name: "delivery_lag_seconds",
    type: "histogram",
    labels: [],
    unit: "seconds",
    meaning:
      "Time from the first frame that waits in a connection's queue to its write to the socket. One observation a write, which may take many events along.",
    read: ({ views }) => single(views.deliveryLagS),
  },
  {
    name: "slow_consumers_total",
    type: "counter",
    labels: ["verdict"],
    unit: "connections",
    meaning: "Connections that did not read as fast as events came, by what was done about it.",
    read: ({ views }) => fromCounts(views.downstream.slowConsumers, 1),
  },
  {
    name: "resumes_total",
    type: "counter",
    labels: ["transport", "outcome"],
    unit: "resumes",
    meaning: "Resumes from a cursor: exact, or not possible and told to the client.",
    read: ({ views }) => fromCounts(views.downstream.resumes, 2),
  },
  {
    name: "tls_certificate_expiry_timestamp_seconds",
    type: "gauge",
    labels: [],
    unit: "seconds since the Unix epoch",
    meaning: "When the served certificate expires. Absent without TLS.",
    read: ({ views }) => {
      const expiresAtMs = views.certificateExpiresAtMs();
      return optional(expiresAtMs === null ? null : Math.floor(expiresAtMs / 1000));
    },
  },
];

/** Every metric of the gateway, in the groups of the documentation. The process's own are prom-client's. */
export const METRIC_GROUPS: readonly {
  readonly title: string;
  readonly metrics: readonly MetricDefinition[];
}[] = [
  { title: "Connection health", metrics: CONNECTION_METRICS },
  { title: "Upstream", metrics: UPSTREAM_METRICS },
  { title: "Resources", metrics: RESOURCE_METRICS },
  { title: "Errors", metrics: ERROR_METRICS },
  { title: "Delivery and certificate", metrics: DELIVERY_METRICS },
];
