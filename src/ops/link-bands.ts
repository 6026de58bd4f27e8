import type { LinkBandItem } from "./admin/ports.ts";

/** How far back links' lives are kept, in milliseconds. */
const KEPT_MS = 3_600_000;
/** Links of one feed, and changes of one link, that are kept; the oldest go first. */
const LINKS_MAX = 200;
const CHANGES_MAX = 200;

interface Band {
  readonly link: number;
  changes: [number, string][];
  endedAtMs: number | null;
}

/** What became of each feed's links over the last hour: when which state began. Bounded, pure. */
export class LinkBands {
  readonly #feeds = new Map<string, Map<number, Band>>();

  changed(feed: string, link: number, state: string, nowMs: number): void {
    let bands = this.#feeds.get(feed);
    if (bands === undefined) {
      bands = new Map();
      this.#feeds.set(feed, bands);
    }
    let band = bands.get(link);
    if (band === undefined) {
      band = { link, changes: [], endedAtMs: null };
      bands.set(link, band);
      if (bands.size > LINKS_MAX) bands.delete(oldestOf(bands));
    }
    band.endedAtMs = state === "ended" ? nowMs : null;
    band.changes.push([nowMs, state]);
    if (band.changes.length > CHANGES_MAX) band.changes.shift();
  }

  /** A feed is configured no more. */
  forget(keep: ReadonlySet<string>): void {
    for (const feed of this.#feeds.keys()) {
      if (!keep.has(feed)) this.#feeds.delete(feed);
    }
  }

  of(feed: string, nowMs: number): LinkBandItem[] {
    const bands = this.#feeds.get(feed);
    if (bands === undefined) return [];
    const sinceMs = nowMs - KEPT_MS;
    for (const [link, band] of bands) {
      if (band.endedAtMs !== null && band.endedAtMs < sinceMs) bands.delete(link);
      else band.changes = since(band.changes, sinceMs);
    }
    return Array.from(bands.values(), ({ link, changes, endedAtMs }) => ({
      link,
      changes: changes.map(([atMs, state]): [number, string] => [atMs, state]),
      endedAtMs,
    }));
  }
}

/** Of what is older only the last one is needed: it is the state in which the hour began. */
function since(changes: [number, string][], sinceMs: number): [number, string][] {
  const first = changes.findLastIndex(([atMs]) => atMs <= sinceMs);
  return first > 0 ? changes.slice(first) : changes;
}

/** One that has ended, if there is any. */
function oldestOf(bands: ReadonlyMap<number, Band>): number {
  for (const [link, { endedAtMs }] of bands) {
    if (endedAtMs !== null) return link;
  }
  return bands.keys().next().value as number;
}
