import type { Kysely } from "kysely";
import type { LinkCursorStore } from "#protocol/link-cursor-store.ts";
import type { Tables } from "./schema.ts";

export class LinkCursorTable implements LinkCursorStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async load(feed: string): Promise<ReadonlyMap<string, string>> {
    const rows = await this.#db
      .selectFrom("link_cursors")
      .select(["link", "last_event_id"])
      .where("feed", "=", feed)
      .execute();
    return new Map(rows.map((row) => [row.link, row.last_event_id]));
  }

  async save(feed: string, link: string, lastEventId: string, atMs: number): Promise<void> {
    if (lastEventId === "") {
      await this.#db.deleteFrom("link_cursors").where("feed", "=", feed).where("link", "=", link).execute();
      return;
    }
    await this.#db
      .insertInto("link_cursors")
      .values({ feed, link, last_event_id: lastEventId, saved_ms: atMs })
      .onConflict((conflict) =>
        conflict.columns(["feed", "link"]).doUpdateSet({ last_event_id: lastEventId, saved_ms: atMs }),
      )
      .execute();
  }

  async prune(beforeMs: number): Promise<number> {
    const result = await this.#db
      .deleteFrom("link_cursors")
      .where("saved_ms", "<", beforeMs)
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  }
}
