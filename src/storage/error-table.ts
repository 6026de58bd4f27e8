import type { Kysely } from "kysely";
import type { ErrorGroupRecord } from "#ops/error-groups.ts";
import type { ErrorStore } from "#ops/error-keeper.ts";
import type { Tables } from "./schema.ts";

/** Rows of one statement: databases bound its parameters. */
const CHUNK = 100;

export class ErrorTable implements ErrorStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async load(limit: number): Promise<readonly ErrorGroupRecord[]> {
    const rows = await this.#db
      .selectFrom("error_groups")
      .selectAll()
      .orderBy("last_ms", "desc")
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      kind: row.kind === "end" ? "end" : "error",
      room: row.room,
      code: row.code,
      peer: row.peer,
      sample: row.sample,
      count: Number(row.count),
      firstAtMs: row.first_ms,
      lastAtMs: row.last_ms,
    }));
  }

  async saveAll(groups: readonly ErrorGroupRecord[]): Promise<void> {
    await this.#db.transaction().execute(async (db) => {
      for (let from = 0; from < groups.length; from += CHUNK) {
        await db
          .insertInto("error_groups")
          .values(groups.slice(from, from + CHUNK).map(rowOf))
          .onConflict((conflict) =>
            conflict.columns(["kind", "room", "code", "peer"]).doUpdateSet((row) => ({
              sample: row.ref("excluded.sample"),
              count: row.ref("excluded.count"),
              first_ms: row.ref("excluded.first_ms"),
              last_ms: row.ref("excluded.last_ms"),
            })),
          )
          .execute();
      }
    });
  }

  async prune(beforeMs: number): Promise<number> {
    const result = await this.#db
      .deleteFrom("error_groups")
      .where("last_ms", "<", beforeMs)
      .executeTakeFirst();
    return Number(result.numDeletedRows);
  }
}

function rowOf(group: ErrorGroupRecord): Tables["error_groups"] {
  const { kind, room, code, peer, sample, count, firstAtMs, lastAtMs } = group;
  return { kind, room, code, peer, sample, count, first_ms: firstAtMs, last_ms: lastAtMs };
}
