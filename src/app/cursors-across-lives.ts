import type { Hub } from "#hub/hub.ts";
import type { CursorBook, CursorWatch, Feed } from "#upstream/ports.ts";
import { isOfOneLink } from "./feed-desk.ts";

/** Last event ids of keys' links, by feed. */
export type LinkCursors = ReadonlyMap<string, ReadonlyMap<string, string>>;

/**
 * Last event ids that stand beside the log on disk, so that the two agree to the event: what was published of a feed is
 * in the log, and what was not is asked for again. Without an orderly end before, they are those of the database.
 */
export class CursorsAcrossLives implements CursorBook {
  readonly #book: CursorBook;
  #before: LinkCursors | null;
  readonly #last = new Map<string, ReadonlyMap<string, string>>();

  /** @param before as the orderly end of the life before left them; null: there was none */
  constructor(book: CursorBook, before: LinkCursors | null) {
    this.#book = book;
    this.#before = before;
  }

  get continues(): boolean {
    return this.#before !== null;
  }

  /** What each feed had when it ended last. */
  get last(): LinkCursors {
    return this.#last;
  }

  take(feed: string, key: string): string {
    const kept = this.#book.take(feed, key);
    return this.#before === null ? kept : (this.#before.get(feed)?.get(key) ?? "");
  }

  watch(feed: string, read: () => ReadonlyMap<string, string>): CursorWatch {
    const watch = this.#book.watch(feed, read);
    return {
      end: () => {
        this.#last.set(feed, read());
        watch.end();
      },
    };
  }

  /**
   * Has the feeds go on where they stopped, whoever comes back or not: each key that was held is asked for, and lingers as if
   * its last subscriber had just left. What can't be gone on with is a gap. From here on it is a life like others.
   */
  resume(feeds: readonly Feed[], hub: Hub): void {
    const before = this.#before;
    if (before === null) return;
    let isWhole = true;
    for (const feed of feeds) {
      const ids = before.get(feed.name);
      if (isOfOneLink(feed)) {
        // It has resumed when it was opened. Without an id it could not, and not all its topics are known.
        if (ids?.has("") !== true) isWhole = false;
        continue;
      }
      for (const key of ids?.keys() ?? []) {
        if (feed.want(key) === "ok") feed.unwant(key);
        else isWhole = false;
      }
    }
    this.#before = null;
    markBroken(hub, (topic) =>
      feeds.some((feed) => {
        const key = feed.topicKey(topic);
        if (key === null) return false;
        return !feed.holds(key) || before.get(feed.name)?.has(isOfOneLink(feed) ? "" : key) !== true;
      }),
    );
    if (!isWhole) hub.distrust("unknown");
  }
}

/** After a life that did not end in order: what feeds brought since is missing, of each of their topics. */
export function breakFeeds(feeds: readonly Feed[], hub: Hub): void {
  if (feeds.length === 0) return;
  markBroken(hub, (topic) => feeds.some((feed) => feed.topicKey(topic) !== null));
  hub.distrust("unknown");
}

function markBroken(hub: Hub, isBroken: (topic: string) => boolean): void {
  const broken = Array.from(hub.topicNames(), ({ name }) => name).filter(isBroken);
  if (broken.length === 0) return;
  hub.markGap(broken, true);
  for (const topic of broken) hub.dropState(topic);
}
