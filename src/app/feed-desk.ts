import type { Demand, DemandVerdict, Hub } from "#hub/hub.ts";
import type { Feed, FeedSink } from "#upstream/ports.ts";
import { PastFeeds } from "./past-feeds.ts";

/**
 * Where hub and feeds meet, since neither knows the other: a topic's first subscriber asks its feed for the key, the
 * last one lets it go, and what a feed has becomes events of topics.
 */
export class FeedDesk implements Demand {
  readonly past = new PastFeeds();
  #feeds: readonly Feed[] = [];
  #publicFeeds: readonly Feed[] = [];

  /** Called once, when the feeds have been made: they need the sink before. */
  open(feeds: readonly Feed[], isPublic: (feed: Feed) => boolean): void {
    this.#feeds = feeds;
    this.#publicFeeds = feeds.filter(isPublic);
  }

  get feeds(): readonly Feed[] {
    return this.#feeds;
  }

  /** Keys asked of feeds, those that linger included. */
  get keys(): number {
    return this.#feeds.reduce((sum, feed) => {
      const { keysWanted, keysLingering } = feed.stats();
      return sum + keysWanted + keysLingering;
    }, 0);
  }

  get hasPublicTopics(): boolean {
    return this.#publicFeeds.length > 0;
  }

  isPublicTopic(topic: string): boolean {
    return this.#publicFeeds.some((feed) => feed.topicKey(topic) !== null);
  }

  /** Topics of no feed have no break that anybody here would know of. */
  wanted(topic: string): DemandVerdict {
    let verdict: DemandVerdict = "held";
    for (const feed of this.#feeds) {
      const key = feed.topicKey(topic);
      if (key === null) continue;
      const isHeld = feed.holds(key);
      if (feed.want(key) === "full") {
        this.unwanted(topic);
        return "full";
      }
      if (!isHeld) verdict = "begun";
    }
    return verdict;
  }

  unwanted(topic: string): void {
    for (const feed of this.#feeds) {
      const key = feed.topicKey(topic);
      if (key !== null) feed.unwant(key);
    }
  }

  /**
   * The sink that puts feeds' events into the hub.
   *
   * @param refused ends who is subscribed to topics that can't be had any more
   */
  sinkInto(hub: Hub, refused: (topics: readonly string[]) => void): FeedSink {
    return {
      refused,
      publish: ({ topic, data, type, state, private: isPrivate }) => {
        hub.publish({ topics: [topic], data, type, state, private: isPrivate });
      },
      gap: (topics, info) => {
        const isPrivate = info.private ?? true;
        if (info.sinceLifeBefore !== true) hub.markGap(topics, isPrivate);
        else this.#gapSinceLifeBefore(hub, info.feed, topics, isPrivate);
      },
      released: (topics) => {
        for (const topic of topics) hub.dropState(topic);
      },
    };
  }

  /** A feed of one link has not seen all of its topics in this life. */
  #gapSinceLifeBefore(hub: Hub, name: string, topics: readonly string[], isPrivate: boolean): void {
    const feed = this.#feeds.find((each) => each.name === name);
    if (feed === undefined || !isOfOneLink(feed)) {
      hub.markGap(topics, isPrivate);
      return;
    }
    const known = Array.from(hub.topicNames(), (topic) => topic.name);
    hub.markGap(
      known.filter((topic) => feed.topicKey(topic) !== null),
      isPrivate,
    );
    hub.distrust("unknown");
  }
}

/** Whether the feed is asked for no keys: it then holds any that there may be, the empty one too. */
export function isOfOneLink(feed: Feed): boolean {
  return feed.holds("");
}
