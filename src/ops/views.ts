/**
 * What metrics read of the other rooms: plain numbers and tallies, read when somebody asks, never pushed. The rooms'
 * own counters fit these shapes as they are; the composition root hands them in. Nothing here can change anything.
 */

/** Counts by a key from a closed list; two label values are joined by a colon. `Tally` and `Map` fit. */
export interface Counts {
  entries(): Iterable<readonly [string, number]>;
}

/** A histogram of fixed buckets, not cumulative; the last count is of what exceeds every bound. */
export interface HistogramView {
  readonly bounds: readonly number[];
  readonly counts: readonly number[];
  readonly sum: number;
  readonly count: number;
}

/** Totals of connections that are or were; keys are transports. */
export interface DownstreamView {
  readonly opened: Counts;
  /** By `transport:reason`. */
  readonly closed: Counts;
  /** Lifetimes of connections that ended, in seconds. */
  readonly durationS: Readonly<Record<string, HistogramView>>;
  readonly deliveries: Readonly<Record<string, number>>;
  /** By verdict. */
  readonly slowConsumers: Counts;
  /** By `transport:outcome`. */
  readonly resumes: Counts;
  /** Connections that ended by a reset. */
  readonly resets: { readonly total: number };
  /** SSE connections that ended otherwise than the client or a drain wished, by reason. */
  readonly sseDrops: Counts;
  /** Refusals by protocol code. */
  readonly errors: Counts;
  /** Events published by clients, by protocol. */
  readonly published: Counts;
}

/** Connections as they are now; keys are transports. */
export interface ConnectionsView {
  readonly open: Readonly<Record<string, number>>;
  readonly subscribers: Readonly<Record<string, number>>;
  /** Bytes queued for all of them. */
  readonly queuedBytes: number;
  /** Most at once. */
  readonly limit: number;
}

/** What is summed over feeds. */
export interface FeedSums {
  readonly events: number;
  readonly gaps: number;
  readonly resets: number;
  /** Attempts after a failure, by the failure's reason. */
  readonly reconnects: Counts;
  /** Open links that ended, by reason. */
  readonly drops: Counts;
  /** Events that could not be mapped, by fault. */
  readonly faults: Counts;
}

export interface FeedView {
  readonly name: string;
  readonly counters: FeedSums & {
    /** Keys that found every link full. */
    readonly keysRefused: number;
    /** How often a key was rejected by the feed alone. */
    readonly keysRejected: number;
  };
  stats(): KeysView & { readonly links: Iterable<LinkView> };
}

export interface KeysView {
  readonly keysWanted: number;
  readonly keysLingering: number;
  readonly keysQuarantined: number;
}

export interface LinkView {
  readonly state: string;
  /** Age of the open connection; null when it is not open. */
  readonly ageMs: number | null;
}

export interface HubView {
  /** Topics that are known: with subscribers, held events or state. */
  readonly topics: number;
  readonly logBytes: number;
}

/** Everything that the gateway's metrics are made of. Methods are called once a scrape. */
export interface GatewayViews {
  readonly downstream: DownstreamView;
  connections(): ConnectionsView;
  feeds(): Iterable<FeedView>;
  /** What feeds have counted that are in force no more. */
  pastFeeds(): FeedSums;
  hub(): HubView;
  /** Seconds from a connection's first queued frame to its write; one observation a write. */
  readonly deliveryLagS: HistogramView;
  /** By `method:reason`. */
  readonly authFailures: Counts;
  /** By `room:code`; the error journal's. */
  readonly errors: Counts;
  /** What the sweep found and released, by kind. Each is a bug. */
  readonly sweepReclaimed: Counts;
  /** Connections or handles to the database, by state. */
  databaseConnections(): Readonly<Record<string, number>>;
  /** The bound on the process's memory; null: none is known. */
  memoryLimitBytes(): number | null;
  /** How short memory is: 0 calm, 1 nobody new is let in, 2 the log is trimmed, 3 connections are sent away. */
  memoryStep(): number;
  /** What was done about it, by measure. */
  readonly memoryMeasures: Counts;
  /** The log's files: their bytes, and sequence numbers that are not in them yet; null: it is in memory only. */
  logOnDisk(): { readonly bytes: number; readonly behind: number } | null;
  /** When the served certificate expires, in milliseconds since the Unix epoch; null without TLS. */
  certificateExpiresAtMs(): number | null;
}
