import type { Kysely } from "kysely";
import type { UserRecord, UserStore } from "#auth/ports.ts";
import type { Tables } from "./schema.ts";

export class UserTable implements UserStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async find(name: string): Promise<UserRecord | null> {
    const row = await this.#db.selectFrom("users").selectAll().where("name", "=", name).executeTakeFirst();
    return row === undefined ? null : recordOf(row);
  }

  async list(page: { limit: number; after?: string }): Promise<UserRecord[]> {
    let query = this.#db.selectFrom("users").selectAll().orderBy("name").limit(page.limit);
    if (page.after !== undefined) query = query.where("name", ">", page.after);
    return (await query.execute()).map(recordOf);
  }

  async add(user: UserRecord): Promise<boolean> {
    const result = await this.#db
      .insertInto("users")
      .values({
        name: user.name,
        password_hash: user.passwordHash,
        role: user.role,
        disabled: Number(user.disabled),
        created_ms: user.createdMs,
        updated_ms: user.updatedMs,
      })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .executeTakeFirst();
    return result.numInsertedOrUpdatedRows === 1n;
  }

  async update(
    name: string,
    change: Partial<Pick<UserRecord, "passwordHash" | "role" | "disabled">>,
    updatedMs: number,
    ifHash?: string,
  ): Promise<boolean> {
    const update = this.#db
      .updateTable("users")
      .set({
        updated_ms: updatedMs,
        ...(change.passwordHash === undefined ? {} : { password_hash: change.passwordHash }),
        ...(change.role === undefined ? {} : { role: change.role }),
        ...(change.disabled === undefined ? {} : { disabled: Number(change.disabled) }),
      })
      .where("name", "=", name);
    const limited = ifHash === undefined ? update : update.where("password_hash", "=", ifHash);
    const result = await limited.executeTakeFirst();
    return result.numUpdatedRows === 1n;
  }

  async remove(name: string): Promise<boolean> {
    const result = await this.#db.deleteFrom("users").where("name", "=", name).executeTakeFirst();
    return result.numDeletedRows === 1n;
  }
}

function recordOf(row: Tables["users"]): UserRecord {
  return {
    name: row.name,
    passwordHash: row.password_hash,
    role: row.role,
    disabled: row.disabled !== 0,
    createdMs: row.created_ms,
    updatedMs: row.updated_ms,
  };
}
