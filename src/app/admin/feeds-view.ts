import type { Clock } from "#base/clock.ts";
import type { FeedConfig } from "#config/config.ts";
import type { AdminDesk, FeedItem, LinkItem } from "#ops/admin/ports.ts";
import type { ErrorGroups } from "#ops/error-groups.ts";
import { LinkBands } from "#ops/link-bands.ts";
import { LINK_REASONS, type LinkReason } from "#upstream/link-reason.ts";
import type { Feed, LinkObserver, LinkStats } from "#upstream/ports.ts";

export interface FeedsViewParts {
  readonly clock: Clock;
  readonly errors: ErrorGroups;
}

/** Feeds and their links as administrators see them, with what became of each link over the last hour. */
export class FeedsView implements LinkObserver {
  readonly #parts: FeedsViewParts;
  readonly #bands = new LinkBands();
  #changes = 0;

  constructor(parts: FeedsViewParts) {
    this.#parts = parts;
  }

  /** Grows with each change of any link. */
  get changes(): number {
    return this.#changes;
  }

  changed(feed: string, link: number, state: string): void {
    this.#changes++;
    this.#bands.changed(feed, link, state, this.#parts.clock.nowMs());
  }

  failed(feed: string, reason: LinkReason, message: string): void {
    const sample = message === "" ? LINK_REASONS[reason].meaning : message;
    this.#parts.errors.add(
      { kind: "end", room: "upstream", code: reason, peer: feed, sample },
      this.#parts.clock.nowMs(),
    );
  }

  list(feeds: readonly Feed[], settings: readonly FeedConfig[]): ReturnType<AdminDesk["feeds"]> {
    const nowMs = this.#parts.clock.nowMs();
    const items: FeedItem[] = [];
    for (const feed of feeds) {
      const config = settings.find(({ name }) => name === feed.name);
      if (config !== undefined) items.push(this.#item(feed, config, nowMs));
    }
    this.#bands.forget(new Set(feeds.map(({ name }) => name)));
    return { atMs: nowMs, feeds: items };
  }

  #item(feed: Feed, config: FeedConfig, nowMs: number): FeedItem {
    const { keysWanted, keysLingering, keysQuarantined, keysMax, sockets, links } = feed.stats();
    const { events, gaps, resets, reconnects } = feed.counters;
    return {
      name: feed.name,
      topic: config.topic,
      access: config.access,
      hosts: [...new Set(config.urls.map((url) => URL.parse(url.replaceAll(/[{}]/g, ""))?.origin ?? ""))],
      keysWanted,
      keysLingering,
      keysQuarantined,
      keysMax,
      linksMax: config.pool.linksMax,
      sockets,
      events,
      gaps,
      resets,
      reconnects: Object.fromEntries(reconnects.entries()),
      links: links.map((link) => linkItem(link, nowMs)),
      bands: this.#bands.of(feed.name, nowMs),
    };
  }
}

function linkItem(link: LinkStats, nowMs: number): LinkItem {
  const ago = (ms: number | null) => (ms === null ? null : nowMs - ms);
  const { id, state, takingOver, keys, events, bytes, resets, reconnects, lastFailure } = link;
  return {
    id,
    state,
    stateSinceMs: nowMs - link.stateMs,
    openedAtMs: ago(link.ageMs),
    nextAttemptAtMs: link.nextAttemptMs === null ? null : nowMs + link.nextAttemptMs,
    takingOver,
    keys,
    events,
    bytes,
    lastByteAtMs: ago(link.lastByteMs),
    resets,
    reconnects,
    lastFailure:
      lastFailure === null
        ? null
        : {
            reason: lastFailure.reason,
            meaning: LINK_REASONS[lastFailure.reason].meaning,
            message: lastFailure.message,
            atMs: lastFailure.atMs,
          },
  };
}
