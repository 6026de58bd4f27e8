import type {
  ConnectionsView,
  Counts,
  FeedSums,
  FeedView,
  GatewayViews,
  HistogramView,
  HubView,
  KeysView,
  LinkView,
} from "./views.ts";

/** The views, with what is costly to ask read once. */
export interface Scrape {
  readonly views: GatewayViews;
  readonly connections: ConnectionsView;
  readonly hub: HubView;
  readonly feeds: readonly ScrapedFeed[];
  /** Of the feeds, and of those that were before them: sums over these never fall. */
  readonly everyFeed: readonly FeedSums[];
}

interface ScrapedFeed {
  readonly name: string;
  readonly counters: FeedView["counters"];
  readonly keys: KeysView;
  readonly links: readonly LinkView[];
}

/** One number, or one histogram, with the values of the metric's labels in their order. */
export type Reading = readonly [labels: readonly string[], value: number | HistogramView];

export function takeScrape(views: GatewayViews): Scrape {
  const feeds = Array.from(views.feeds(), (feed) => {
    const stats = feed.stats();
    return { name: feed.name, counters: feed.counters, keys: stats, links: [...stats.links] };
  });
  return {
    views,
    connections: views.connections(),
    hub: views.hub(),
    feeds,
    everyFeed: [...feeds.map(({ counters }) => counters), views.pastFeeds()],
  };
}

export function single(value: number | HistogramView): Reading[] {
  return [[[], value]];
}

export function optional(value: number | null): Reading[] {
  return value === null ? [] : single(value);
}

export function fromRecord(record: Readonly<Record<string, number>>): Reading[] {
  return Object.entries(record).map(([label, value]) => [[label], value]);
}

/** Only the last label may hold a colon. */
export function fromCounts(counts: Counts, labels: 1 | 2): Reading[] {
  return Array.from(counts.entries(), ([key, value]): Reading => {
    if (labels === 1) return [[key], value];
    const colon = key.indexOf(":");
    return [[key.slice(0, colon), key.slice(colon + 1)], value];
  });
}

export function prefixed(first: string, counts: Counts): Reading[] {
  return Array.from(counts.entries(), ([second, value]): Reading => [[first, second], value]);
}

export function perFeed(feeds: readonly ScrapedFeed[], countsOf: (feed: ScrapedFeed) => Counts): Reading[] {
  return feeds.flatMap((feed) => prefixed(feed.name, countsOf(feed)));
}

export function total(feeds: readonly FeedSums[], countsOf: (feed: FeedSums) => Counts): Map<string, number> {
  const totals = new Map<string, number>();
  for (const feed of feeds) {
    for (const [key, count] of countsOf(feed).entries()) totals.set(key, (totals.get(key) ?? 0) + count);
  }
  return totals;
}

export function countBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(keyOf(item), (counts.get(keyOf(item)) ?? 0) + 1);
  return counts;
}

export function sum(counts: Counts): number {
  let all = 0;
  for (const [, count] of counts.entries()) all += count;
  return all;
}
