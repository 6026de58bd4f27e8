import type { Kysely } from "kysely";
import type { LinkCursorStore } from "#protocol/link-cursor-store.ts";
import type { Tables } from "./schema.ts";

export class LinkCursorTable implements LinkCursorStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async feeds(): Promise<readonly string[]> {
    const rows = await this.#db.selectFrom("link_cursors").select("feed").distinct().execute();
    return rows.map((row) => row.feed);
  }

  async load(feed: string): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#db
      .selectFrom("link_cursors")
      .select(["link", "last_event_id"])
      .where("feed", "=", feed)
      .execute();
    return new Map(rows.map((row) => [row.link, row.last_event_id]));
  }

  save(feed: string, link: string, lastEventId: string, atMs: number): Promise<void> {
    return this.saveAll(feed, new Map([[link, lastEventId]]), atMs);
  }

  async saveAll(feed: string, lastEventIds: ReadonlyMap<string, string>, atMs: number): Promise<void> {
    const rows: Tables["link_cursors"][] = [];
    const gone: string[] = [];
    for (const [link, id] of lastEventIds) {
      if (id === "") gone.push(link);
      else rows.push({ feed, link, last_event_id: id, saved_ms: atMs });
    }
    await this.#db.transaction().execute(async (db) => {
      for (const links of chunks(gone)) {
        await db.deleteFrom("link_cursors").where("feed", "=", feed).where("link", "in", links).execute();
      }
      for (const values of chunks(rows)) {
        await db
          .insertInto("link_cursors")
          .values(values)
          .onConflict((conflict) =>
            conflict.columns(["feed", "link"]).doUpdateSet((row) => ({
              last_event_id: row.ref("excluded.last_event_id"),
              saved_ms: row.ref("excluded.saved_ms"),
            })),
          )
          .execute();
      }
    });
  }

  async prune(beforeMs: number): Promise<number> {
    const result = await this.#db
      .deleteFrom("link_cursors")
      .where("saved_ms", "<", beforeMs)
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  }
}

/** Rows of one statement: databases bound its parameters. */
const CHUNK = 500;

function chunks<Item>(items: readonly Item[]): Item[][] {
  return Array.from({ length: Math.ceil(items.length / CHUNK) }, (_, n) =>
    items.slice(n * CHUNK, (n + 1) * CHUNK),
  );
}
