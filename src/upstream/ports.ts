/**
 * Room `upstream`: feeds, their pools of links, and how a link's events become events of topics. It may use `base`
 * and `protocol`; it does not know the hub: the composition root hands it a `FeedSink`.
 *
 * Pure: link-life, link-reason, event-stream, mapping, placement, handover. Shells: dialer, link, pool, feed.
 */
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Random } from "#base/random.ts";
import type { StateMode } from "#protocol/event.ts";
import type { ConnectionSource } from "./connections.ts";
import type { FeedCounters } from "./feed-counters.ts";
import type { LinkStateName } from "./link-life.ts";
import type { LinkReason } from "./link-reason.ts";

/** One event of one topic, as it comes out of a feed. */
export interface FeedEvent {
  readonly topic: string;
  /** The feed's key, or "" in a feed whose topic has none. */
  readonly key: string;
  /** The item's data as text: the event's own where the feed has no `items`, else the item as JSON. */
  readonly data: string;
  /** SSE event type; "" is the default type, `message`. */
  readonly type: string;
  readonly state: StateMode;
  /** True: only for identities with a grant for the topic. */
  readonly private: boolean;
}

/** Where feeds put what they have. Called synchronously while bytes are read; must not throw. */
export interface FeedSink {
  publish(event: FeedEvent): void;
  /** Events of these topics may be missing between what was published before and what comes next. */
  gap(topics: readonly string[], info: GapInfo): void;
  /** Nobody wants these topics any more, and what they are is not known from now on. */
  released?(topics: readonly string[]): void;
  /**
   * These topics, which are wanted, can't be had any more, as if they were asked for now: every link is full, and the feed
   * has rejected their keys before. They are not held any more. Called by itself, so that subscribers may be ended.
   */
  refused?(topics: readonly string[]): void;
}

export interface GapInfo {
  readonly feed: string;
  /** Whether the topics' events are private. Default true: then nobody learns of it who may not have them. */
  readonly private?: boolean;
  /** Why the link that should have carried the events ended; `unmapped`: they came, and were not understood. */
  readonly reason: LinkReason | "unmapped";
  /** How long nothing could arrive, in milliseconds; 0 when it can't be told. */
  readonly downMs: number;
  /** It is since the gateway's life before, so that topics of the feed are meant as well that this life has not seen. */
  readonly sinceLifeBefore?: boolean;
}

/** A feed's configuration, resolved: durations in milliseconds, sizes in bytes. */
export interface FeedSettings {
  readonly name: string;
  /**
   * URL templates, tried in turn when a link fails, the first one again after a healthy while. `{keys}` takes the
   * link's keys, comma-separated, each percent-encoded; `{key}` takes one; neither: one link for the whole feed.
   */
  readonly urls: readonly [string, ...string[]];
  /** Topic with at most one `{key}`. */
  readonly topic: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent or null: the system's roots are trusted, and no client certificate is shown. */
  readonly tls?: FeedTls | null;
  /** JSON Pointer (RFC 6901) to an array in the event's data; null: the data is one item. */
  readonly items: string | null;
  /** JSON Pointer in an item to its key; null: the key is the link's (`{key}`), or there is none. */
  readonly key: string | null;
  readonly state: StateMode;
  readonly access: "private" | "public";
  readonly pool: PoolSettings;
  readonly health: HealthSettings;
  readonly retry: RetrySettings;
}

/** Texts in PEM form. */
export interface FeedTls {
  /** The only authorities that are trusted; null: the system's. */
  readonly ca: string | null;
  /** Shown to the origins of the feed's own URLs; null: none. */
  readonly client: { readonly cert: string; readonly key: string } | null;
}

export interface PoolSettings {
  readonly keysPerLink: number;
  readonly linksMax: number;
  /** How long a key is kept after it was last wanted. */
  readonly lingerMs: number;
  /** How long new keys are gathered before a link is opened for them. */
  readonly gatherMs: number;
}

export interface HealthSettings {
  /** From the start of a dial to the response's headers, redirects included. */
  readonly connectTimeoutMs: number;
  /** An open link with no byte for so long, comments included, is destroyed. */
  readonly idleTimeoutMs: number;
  /** An open link of about this age is replaced; 0: never. Spread over the last tenth. */
  readonly rotateAfterMs: number;
  /** Longest event, and longest line, of the decoded text. */
  readonly eventBytesMax: number;
}

export interface RetrySettings {
  /** First backoff window. A feed's `retry:` takes its place, where it is longer. */
  readonly minMs: number;
  /** Widest backoff window, and the pace at which rejected links try again. */
  readonly maxMs: number;
  /** How long a link must have been open for the backoff to start over. */
  readonly resetAfterMs: number;
}

/** What a feed needs from outside. */
export interface FeedContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly sink: FeedSink;
  /** Keeps last event ids beyond the process's life. Absent: they are not kept. */
  readonly cursors?: CursorBook;
  /** The network of the feed of this name. Absent: sockets. */
  readonly connections?: (feed: string) => ConnectionSource;
  /** Told what becomes of links, as it happens. */
  readonly observer?: LinkObserver;
}

/** Called synchronously; must not throw, and must not call back. */
export interface LinkObserver {
  changed(feed: string, link: number, state: LinkStateName): void;
  /** A stream, or an attempt at one, ended, and not by our own wish. */
  failed(feed: string, reason: LinkReason, message: string): void;
}

export interface CursorBook {
  /**
   * True while what the life before had up to its last event ids is still held: then a key that can't be resumed has a
   * gap, and a merged state can be gone on with. Default false.
   */
  readonly continues?: boolean;
  /** The last event id that the key had in the life before; "" without one. Answered once for each key. */
  take(feed: string, key: string): string;
  /**
   * Has the feed's last event ids, by key, read and kept from now on.
   *
   * @param read answers a map that changes no more, the same one as long as nothing has changed
   */
  watch(feed: string, read: () => ReadonlyMap<string, string>): CursorWatch;
}

export interface CursorWatch {
  /** The feed is being closed: they are read a last time. Idempotent. */
  end(): void;
}

/** Whether a key has a place. `full`: every link of the feed is full, so the topic must be refused. */
export const WantVerdict = { ok: "ok", full: "full", closed: "closed" } as const;
export type WantVerdict = (typeof WantVerdict)[keyof typeof WantVerdict];

/** A feed as the composition root sees it. */
export interface Feed extends AsyncDisposable {
  readonly name: string;
  readonly counters: FeedCounters;
  /** The key of one of this feed's topics ("" where its topic has none), or null for a topic that is not its own. */
  topicKey(topic: string): string | null;
  /** Topics that its events have had lately. */
  topicsSeen(): Iterable<string>;
  /** Whether it has been asked for the key without a break: it is wanted, or lingers. */
  holds(key: string): boolean;
  /** Asks for a key. Idempotent: the caller counts subscribers, the feed does not. */
  want(key: string): WantVerdict;
  /** The key's last subscriber has left: it is let go after `linger`, unless wanted again. Idempotent. */
  unwant(key: string): void;
  stats(): FeedStats;
  /** Has an open link replaced by a new one, without a gap, as when it has aged. False: there is no such link. */
  rotate(link: number): boolean;
  /** Cuts a link and opens another in its place. False: there is no such link, or it is being replaced anyway. */
  cut(link: number): boolean;
  /** Ends every link and timer. Idempotent; resolves when the last socket is gone. */
  close(reason?: string): Promise<void>;
}

export interface FeedStats {
  readonly name: string;
  /** Keys that somebody wants. */
  readonly keysWanted: number;
  /** Keys that nobody wants any more and that are still held. */
  readonly keysLingering: number;
  /** Most keys that the feed can hold; null: no limit. */
  readonly keysMax: number | null;
  /** Keys that the feed rejects, and that are asked for apart from others. */
  readonly keysQuarantined: number;
  readonly sockets: number;
  readonly links: readonly LinkStats[];
}

export interface LinkStats {
  readonly id: number;
  readonly state: LinkStateName;
  /** Time in this state. */
  readonly stateMs: number;
  /** Age of the open connection; null when it is not open. */
  readonly ageMs: number | null;
  /** Time until the next attempt; null when none is waited for. */
  readonly nextAttemptMs: number | null;
  /** True while it takes over another link's keys. */
  readonly takingOver: boolean;
  readonly keys: number;
  readonly events: number;
  readonly bytes: number;
  /** Time since the last byte; null before the first. */
  readonly lastByteMs: number | null;
  readonly resets: number;
  readonly reconnects: number;
  /** The same by what they followed. */
  readonly reconnectsByReason: Readonly<Partial<Record<LinkReason, number>>>;
  readonly lastFailure: LinkFailure | null;
}

export interface LinkFailure {
  readonly reason: LinkReason;
  /** What the system or library said; holds no token and no query string. */
  readonly message: string;
  /** Wall-clock time in milliseconds since the Unix epoch. */
  readonly atMs: number;
}
