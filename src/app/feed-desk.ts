import type { Demand, DemandVerdict, Hub } from "#hub/hub.ts";
import type { Feed, FeedSink } from "#upstream/ports.ts";

/**
 * Where hub and feeds meet, since neither knows the other: a topic's first subscriber asks its feed for the key, the
 * last one lets it go, and what a feed has becomes events of topics.
 */
export class FeedDesk implements Demand {
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

  /** The sink that puts feeds' events into the hub. */
  sinkInto(hub: Hub): FeedSink {
    return {
      publish: ({ topic, data, type, state, private: isPrivate }) => {
        hub.publish({ topics: [topic], data, type, state, private: isPrivate });
      },
      gap: (topics, info) => {
        hub.markGap(
          info.sinceLifeBefore === true ? this.#topicsOf(hub, info.feed, topics) : topics,
          info.private ?? true,
        );
        if (info.sinceLifeBefore === true) hub.distrust("unknown");
      },
      released: (topics) => {
        for (const topic of topics) hub.dropState(topic);
      },
    };
  }

  /** With those that the hub knows, of the life before too. */
  #topicsOf(hub: Hub, name: string, topics: readonly string[]): string[] {
    const feed = this.#feeds.find((each) => each.name === name);
    const known = Array.from(hub.topicNames(), (topic) => topic.name);
    return [...new Set([...topics, ...known.filter((topic) => feed?.topicKey(topic) === "")])];
  }
}
