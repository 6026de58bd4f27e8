import { isDeepStrictEqual } from "node:util";
import type { FeedConfig } from "#config/config.ts";
import type { Hub } from "#hub/hub.ts";
import { openFeed } from "#upstream/feed.ts";
import type { Feed, FeedContext, FeedTls } from "#upstream/ports.ts";
import { type FeedDesk, isOfOneLink } from "./feed-desk.ts";
import { loadFeedTls } from "./feed-tls.ts";

/** With what its files held, so that renewed ones are a change as well. */
type LoadedFeedConfig = Omit<FeedConfig, "tls"> & { readonly tls: FeedTls | null };

interface OpenFeed {
  readonly feed: Feed;
  readonly settings: LoadedFeedConfig;
}

/** Feeds that were opened for a configuration that is not in force yet: one of the two is called, once. */
export interface PreparedFeeds {
  /**
   * Puts them in force and closes those that they replace.
   *
   * @returns topics that are subscribed to and have no place in their new feed
   */
  commit(): readonly string[];
  /** Closes them again. */
  undo(): void;
}

/** Owns the feeds: opens those of the configuration, replaces them when it changes, closes them at the end. */
export class Feeds implements AsyncDisposable {
  readonly #hub: Hub;
  readonly #desk: FeedDesk;
  readonly #context: FeedContext;
  #open: readonly OpenFeed[] = [];
  /** Topics whose feed was taken out, with no other in its place: should one come, what they missed meanwhile is told. */
  #unfed: ReadonlySet<string> = new Set();
  #hasClosedSome = false;
  /** Those replaced, until their last socket is gone. */
  readonly #closing = new Set<Promise<void>>();

  constructor(hub: Hub, desk: FeedDesk, context: FeedContext) {
    this.#hub = hub;
    this.#desk = desk;
    this.#context = context;
  }

  /**
   * Opens what differs from the feeds in force; feeds that stay as they are keep their links.
   *
   * @throws CodedError for settings that no feed can have, TlsError for files that it can't use; nothing is left open then
   */
  prepare(settings: readonly FeedConfig[]): PreparedFeeds {
    const fresh: OpenFeed[] = [];
    const close = () => {
      for (const { feed } of fresh) this.#close(feed);
    };
    const next: OpenFeed[] = [];
    try {
      for (const config of settings) {
        const tls = config.tls && loadFeedTls(config.tls, this.#context.clock.nowMs());
        const each = { ...config, tls };
        const kept = this.#open.find((open) => isDeepStrictEqual(open.settings, each));
        const entry = kept ?? { feed: openFeed(each, this.#context), settings: each };
        if (kept === undefined) fresh.push(entry);
        next.push(entry);
      }
    } catch (error) {
      close();
      throw error;
    }
    return { commit: () => this.#commit(next, fresh), undo: close };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { feed } of this.#open) this.#close(feed);
    this.#open = [];
    await Promise.all(this.#closing);
  }

  #commit(next: readonly OpenFeed[], fresh: readonly OpenFeed[]): readonly string[] {
    const gone = this.#open.filter((open) => !next.includes(open));
    // Asked while they are open: a closed feed holds nothing.
    const seen = gone.flatMap(({ feed }) => (isOfOneLink(feed) ? [...feed.topicsSeen()] : []));
    this.#open = next;
    const publicFeeds = next.filter(({ settings }) => settings.access === "public").map(({ feed }) => feed);
    this.#desk.open(
      next.map(({ feed }) => feed),
      (feed) => publicFeeds.includes(feed),
    );
    // Closed first: from here on nothing comes of the old ones, so nothing comes twice.
    for (const { feed } of gone) this.#close(feed);
    this.#hasClosedSome ||= gone.length > 0;
    return this.#handOver(gone, fresh, seen);
  }

  /**
   * The new feeds are asked for what is subscribed to; what may have been missed meanwhile is told.
   *
   * @param seen topics that had events on the links for all topics among those gone, whether or not the hub knows them still
   */
  #handOver(
    gone: readonly OpenFeed[],
    fresh: readonly OpenFeed[],
    seen: readonly string[],
  ): readonly string[] {
    // A link for all topics holds them whether or not the hub knows them, so that nobody's asking for one begins it anew.
    // Once it has come in place of another feed, be it later, no resume from before is exact for those that the hub does
    // not know. Before the gaps are marked: who resumes from after them has heard of all.
    if (this.#hasClosedSome && fresh.some(({ feed }) => isOfOneLink(feed))) this.#hub.distrust("unknown");
    const orphans: string[] = [];
    const homeless: string[] = [];
    const unfed = new Unfed();
    const gaps = new Map<OpenFeed, string[]>();
    for (const { name, isWanted, isKnown } of this.#topicsWith(seen)) {
      const heir = fresh.find(({ feed }) => feed.topicKey(name) !== null);
      const key = heir?.feed.topicKey(name) ?? "";
      if (isWanted && heir?.feed.want(key) === "full") homeless.push(name);
      const wasFed = gone.some(({ feed }) => feed.topicKey(name) !== null);
      // A key that lingered is not taken over, so nobody would release its state.
      if (wasFed && (heir === undefined || heir.settings.state === "none" || !heir.feed.holds(key)))
        orphans.push(name);
      if (!wasFed && !this.#unfed.has(name)) continue;
      if (heir === undefined) {
        unfed.add(name, isKnown);
      } else if (isKnown || isOfOneLink(heir.feed)) {
        const topics = gaps.get(heir);
        if (topics === undefined) gaps.set(heir, [name]);
        else topics.push(name);
      }
    }
    this.#unfed = unfed.topics;
    for (const name of orphans) this.#hub.dropState(name);
    for (const [{ feed, settings }, topics] of gaps) {
      const isPrivate = settings.access === "private";
      this.#context.sink.gap(topics, { feed: feed.name, reason: "replaced", downMs: 0, private: isPrivate });
    }
    return homeless;
  }

  /** Every topic that the hub knows, and those that it has forgotten, and that may have missed something as well. */
  #topicsWith(seen: readonly string[]): { name: string; isWanted: boolean; isKnown: boolean }[] {
    const topics = Array.from(this.#hub.topicNames(), (topic) => ({ ...topic, isKnown: true }));
    const forgotten = new Set([...this.#unfed, ...seen]);
    for (const { name } of topics) forgotten.delete(name);
    for (const name of forgotten) topics.push({ name, isWanted: false, isKnown: false });
    return topics;
  }

  #close(feed: Feed): void {
    this.#desk.past.ending(feed.counters);
    const closing = feed.close("the configuration changed or the gateway ends").finally(() => {
      this.#desk.past.ended(feed.counters);
      this.#closing.delete(closing);
    });
    this.#closing.add(closing);
  }
}

/** Topics without a feed: all that the hub knows, and the latest of the others. */
class Unfed {
  readonly #known = new Set<string>();
  readonly #forgotten = new Set<string>();

  get topics(): ReadonlySet<string> {
    return this.#forgotten.union(this.#known);
  }

  add(name: string, isKnown: boolean): void {
    if (isKnown) {
      this.#known.add(name);
      return;
    }
    this.#forgotten.add(name);
    if (this.#forgotten.size > FORGOTTEN_MAX)
      this.#forgotten.delete(this.#forgotten.keys().next().value as string);
  }
}

const FORGOTTEN_MAX = 16_384;
