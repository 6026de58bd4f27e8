/** Where the last event ids of upstream links outlive a restart. A port: `storage` implements it, `upstream` uses it. */
export interface LinkCursorStore {
  /** Names of the feeds that it has anything of. */
  feeds(): Promise<readonly string[]>;
  /** The last event ids of a feed's links, by the link's name. */
  load(feed: string): Promise<ReadonlyMap<string, string>>;
  /** Keeps the last event id of one link; the empty string forgets it. */
  save(feed: string, link: string, lastEventId: string, atMs: number): Promise<void>;
  /** The same for several links at once; empty strings forget. All of it or nothing. */
  saveAll(feed: string, lastEventIds: ReadonlyMap<string, string>, atMs: number): Promise<void>;
  /** Forgets links that were last saved before a time; answers how many. */
  prune(beforeMs: number): Promise<number>;
}
