import type { Clock, Timer } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { LinkCursorStore } from "#protocol/link-cursor-store.ts";
import type { CursorBook, CursorWatch } from "./ports.ts";
import { QuietLog } from "./quiet-log.ts";

/** How often what has changed is written, in milliseconds. A crash loses no more than this. */
export const SAVE_EVERY_MS = 1000;

/** Feeds that are not configured whose last event ids are held, in case a reload adds them: as many as may be configured. */
const FEEDS_SPARE_MAX = 256;

/** Rows that nobody has written for so long are forgotten at the start: no feed replays that much. */
const FORGET_AFTER_MS = 24 * 3600 * 1000;

export interface CursorKeeperContext {
  readonly clock: Clock;
  readonly log: Logger;
  /** Default `SAVE_EVERY_MS`. */
  readonly saveEveryMs?: number;
}

interface Watched {
  readonly feed: string;
  readonly read: () => ReadonlyMap<string, string>;
  /** What the store has of the keys that were held in this life. */
  saved: ReadonlyMap<string, string>;
}

/**
 * Keeps the last event id of each key's link in the database, written behind: once a second what has changed, and
 * at the end. So the gateway's next life resumes what a feed can replay. A key that is let go loses its row.
 */
export class CursorKeeper implements CursorBook, AsyncDisposable {
  readonly #store: LinkCursorStore;
  readonly #clock: Clock;
  readonly #saveEveryMs: number;
  readonly #quietLog: QuietLog;
  /** Of feeds that are not open, from the life before or from this one, by feed and key, until they are taken. */
  readonly #loaded = new Map<string, Map<string, string>>();
  readonly #watched = new Set<Watched>();
  #timer: Timer | null = null;
  #saving: Promise<void> = Promise.resolve();

  private constructor(store: LinkCursorStore, { clock, log, saveEveryMs }: CursorKeeperContext) {
    this.#store = store;
    this.#clock = clock;
    this.#saveEveryMs = saveEveryMs ?? SAVE_EVERY_MS;
    this.#quietLog = new QuietLog(log, clock);
  }

  /**
   * Reads what the life before has left of these feeds, and then, without being waited for, of others, which a reload
   * may add. Without it the gateway serves all the same, so a fault is only logged.
   */
  static async open(
    store: LinkCursorStore,
    feeds: readonly string[],
    context: CursorKeeperContext,
  ): Promise<CursorKeeper> {
    const keeper = new CursorKeeper(store, context);
    await keeper.#attempt(async () => {
      await store.prune(context.clock.nowMs() - FORGET_AFTER_MS);
      for (const feed of feeds) await keeper.#load(feed);
    });
    keeper.#saving = keeper.#attempt(() => keeper.#loadOthers(feeds));
    keeper.#arm();
    return keeper;
  }

  take(feed: string, key: string): string {
    const loaded = this.#loaded.get(feed);
    const id = loaded?.get(key) ?? "";
    loaded?.delete(key);
    return id;
  }

  watch(feed: string, read: () => ReadonlyMap<string, string>): CursorWatch {
    const watched: Watched = { feed, read, saved: new Map() };
    this.#watched.add(watched);
    return {
      end: () => {
        // Read now, since nothing comes of the feed any more; its rows stay for the next life.
        const last = watched.read();
        if (!this.#watched.delete(watched)) return;
        this.#queue(watched, last, false);
        // One that takes its place is asked anew, since it is another one; one that was taken out may come back.
        if (!this.#watched.values().some((other) => other.feed === feed))
          this.#keep(feed, new Map([...(this.#loaded.get(feed) ?? []), ...last]));
      },
    };
  }

  /** Resolves when all is written. Feeds are closed before. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#timer?.cancel();
    this.#timer = null;
    return this.#saving.then(() => this.#quietLog.end());
  }

  async #load(feed: string): Promise<void> {
    this.#keep(feed, new Map(await this.#store.load(feed)));
  }

  async #loadOthers(feeds: readonly string[]): Promise<void> {
    const others = (await this.#store.feeds()).filter((feed) => !feeds.includes(feed));
    for (const feed of others.slice(0, FEEDS_SPARE_MAX)) {
      // A reload may have been faster.
      if (!this.#watched.values().some((watched) => watched.feed === feed)) await this.#load(feed);
    }
  }

  #keep(feed: string, ids: Map<string, string>): void {
    this.#loaded.delete(feed);
    this.#loaded.set(feed, ids);
    const spare = this.#loaded.keys().filter((name) => !this.#watched.values().some((w) => w.feed === name));
    const [oldest, ...others] = spare;
    if (oldest !== undefined && others.length >= 2 * FEEDS_SPARE_MAX) this.#loaded.delete(oldest);
  }

  #arm(): void {
    this.#timer = this.#clock.after(this.#saveEveryMs, () => {
      let isQuiet = true;
      for (const watched of this.#watched) {
        const now = watched.read();
        if (now === watched.saved) continue;
        this.#queue(watched, now, true);
        isQuiet = false;
      }
      return isQuiet ? this.#arm() : this.#armWhenSaved();
    });
  }

  /** The next second begins when this one's writes are done: a slow database is not asked more and more. */
  async #armWhenSaved(): Promise<void> {
    await this.#saving;
    if (this.#timer !== null) this.#arm();
  }

  #queue(watched: Watched, now: ReadonlyMap<string, string>, forgets: boolean): void {
    this.#saving = this.#saving.then(() => this.#attempt(() => this.#save(watched, now, forgets)));
  }

  async #save(watched: Watched, now: ReadonlyMap<string, string>, forgets: boolean): Promise<void> {
    const changes = new Map<string, string>();
    for (const [key, id] of now) if (watched.saved.get(key) !== id) changes.set(key, id);
    if (forgets) for (const key of watched.saved.keys()) if (!now.has(key)) changes.set(key, "");
    if (changes.size > 0) await this.#store.saveAll(watched.feed, changes, this.#clock.nowMs());
    watched.saved = now;
  }

  async #attempt(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      this.#quietLog.warn(
        "cursors",
        { error: messageOf(error) },
        "last event ids can't be kept for a restart",
      );
    }
  }
}
