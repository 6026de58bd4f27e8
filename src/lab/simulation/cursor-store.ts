import type { LinkCursorStore } from "#protocol/link-cursor-store.ts";
import type { Chance } from "./chance.ts";
import type { World } from "./world.ts";

/** The database of last event ids: it outlives the gateway's processes, takes its time, and fails when it is told to. */
export class SimulatedCursorStore implements LinkCursorStore {
  readonly #world: World;
  readonly #chance: Chance;
  readonly #rows = new Map<string, { readonly id: string; readonly atMs: number }>();
  #failsUntilMs = Number.NEGATIVE_INFINITY;

  constructor(world: World) {
    this.#world = world;
    this.#chance = world.chance("store");
  }

  get fails(): boolean {
    return this.#world.nowMs < this.#failsUntilMs;
  }

  failUntil(untilMs: number): void {
    this.#failsUntilMs = untilMs;
  }

  /** What it has of a key; "" for nothing. */
  idOf(feed: string, key: string): string {
    return this.#rows.get(nameOf(feed, key))?.id ?? "";
  }

  feeds(): Promise<readonly string[]> {
    return this.#do(() => [
      ...new Set(Array.from(this.#rows.keys(), (name) => name.split(" ", 1)[0] as string)),
    ]);
  }

  load(feed: string): Promise<ReadonlyMap<string, string>> {
    return this.#do(() => {
      const loaded = new Map<string, string>();
      for (const [name, { id }] of this.#rows) {
        if (name.startsWith(`${feed} `)) loaded.set(name.slice(feed.length + 1), id);
      }
      return loaded;
    });
  }

  save(feed: string, link: string, lastEventId: string, atMs: number): Promise<void> {
    return this.saveAll(feed, new Map([[link, lastEventId]]), atMs);
  }

  saveAll(feed: string, lastEventIds: ReadonlyMap<string, string>, atMs: number): Promise<void> {
    const saved = [...lastEventIds];
    return this.#do(() => {
      for (const [key, id] of saved) {
        if (id === "") this.#rows.delete(nameOf(feed, key));
        else this.#rows.set(nameOf(feed, key), { id, atMs });
      }
    });
  }

  prune(beforeMs: number): Promise<number> {
    return this.#do(() => {
      const old = [...this.#rows].filter(([, { atMs }]) => atMs < beforeMs);
      for (const [name] of old) this.#rows.delete(name);
      return old.length;
    });
  }

  #do<Answer>(run: () => Answer): Promise<Answer> {
    const { time } = this.#world;
    return new Promise((resolve, reject) => {
      time.in(this.#chance.between(0.2, 20), () => {
        time.disturb();
        if (this.fails) reject(new Error("simulated: the database is locked"));
        else resolve(run());
      });
    });
  }
}

function nameOf(feed: string, key: string): string {
  return `${feed} ${key}`;
}
