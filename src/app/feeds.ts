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
    const goneOfOneLink = gone.filter(({ feed }) => isOfOneLink(feed));
    this.#open = next;
    const publicFeeds = next.filter(({ settings }) => settings.access === "public").map(({ feed }) => feed);
    this.#desk.open(
      next.map(({ feed }) => feed),
      (feed) => publicFeeds.includes(feed),
    );
    // Closed first: from here on nothing comes of the old ones, so nothing comes twice.
    for (const { feed } of gone) this.#close(feed);
    const isReplacedByOneLink = gone.length > 0 && fresh.some(({ feed }) => isOfOneLink(feed));
    return this.#handOver(gone, fresh, isReplacedByOneLink ? this.#distrustForgotten(goneOfOneLink) : []);
  }

  /**
   * A feed of one link holds its topics whether or not the hub knows them, so that nobody's asking for one begins it
   * anew. Once it has replaced another, no resume from before is exact for those that the hub doesn't know.
   *
   * @returns topics that had events on the links replaced, and that the hub does not know any more
   */
  #distrustForgotten(goneOfOneLink: readonly OpenFeed[]): readonly string[] {
    // Before the gaps are marked: who resumes from after them has heard of all.
    this.#hub.distrust("unknown");
    const known = new Set(Array.from(this.#hub.topicNames(), ({ name }) => name));
    const seen = new Set(goneOfOneLink.flatMap(({ feed }) => [...feed.topicsSeen()]));
    return [...seen.difference(known)];
  }

  /**
   * The new feeds are asked for what is subscribed to; what may have been missed meanwhile is told.
   *
   * @param forgotten topics that the hub does not know, and that may have missed something as well
   */
  #handOver(
    gone: readonly OpenFeed[],
    fresh: readonly OpenFeed[],
    forgotten: readonly string[],
  ): readonly string[] {
    const orphans: string[] = [];
    const homeless: string[] = [];
    const gaps = new Map<OpenFeed, string[]>();
    const unknown = forgotten.map((name) => ({ name, isWanted: false }));
    for (const { name, isWanted } of [...this.#hub.topicNames(), ...unknown]) {
      const heir = fresh.find(({ feed }) => feed.topicKey(name) !== null);
      const key = heir?.feed.topicKey(name) ?? "";
      if (isWanted && heir?.feed.want(key) === "full") homeless.push(name);
      const wasFed = gone.some(({ feed }) => feed.topicKey(name) !== null);
      if (!wasFed) continue;
      // A key that lingered is not taken over, so nobody would release its state.
      if (heir === undefined || heir.settings.state === "none" || !heir.feed.holds(key)) orphans.push(name);
      if (heir === undefined) continue;
      const topics = gaps.get(heir);
      if (topics === undefined) gaps.set(heir, [name]);
      else topics.push(name);
    }
    for (const name of orphans) this.#hub.dropState(name);
    for (const [{ feed, settings }, topics] of gaps) {
      const isPrivate = settings.access === "private";
      this.#context.sink.gap(topics, { feed: feed.name, reason: "replaced", downMs: 0, private: isPrivate });
    }
    return homeless;
  }

  #close(feed: Feed): void {
    const closing = feed
      .close("the configuration changed or the gateway ends")
      .finally(() => this.#closing.delete(closing));
    this.#closing.add(closing);
  }
}
