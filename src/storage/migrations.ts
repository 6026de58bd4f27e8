import { type Kysely, sql } from "kysely";
import { type Migration, Migrator } from "kysely/migration";
import type { Tables } from "./schema.ts";
import { StorageError } from "./storage-error.ts";

/**
 * Brings the database to this version's tables. Migrations are only ever added, each in a transaction of its own kind
 * of lock, so that two processes may start at once.
 *
 * @param name what to call the database in errors; no secret in it
 * @throws StorageError `database_newer` when a later version was here before
 */
export async function migrate(db: Kysely<Tables>, name: string): Promise<void> {
  await refuseNewer(db, name);
  const migrator = new Migrator({ db, provider: { getMigrations: async () => MIGRATIONS } });
  const { error } = await migrator.migrateToLatest();
  if (error !== undefined) throw error;
}

/** By name, in order. A name that was released is never changed. */
const MIGRATIONS: Readonly<Record<string, Migration>> = {
  "0001-accounts": {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable("users")
        .addColumn("name", "text", (column) => column.primaryKey().notNull())
        .addColumn("password_hash", "text", (column) => column.notNull())
        .addColumn("role", "text", (column) => column.notNull())
        .addColumn("disabled", "integer", (column) => column.notNull())
        .addColumn("created_ms", "bigint", (column) => column.notNull())
        .addColumn("updated_ms", "bigint", (column) => column.notNull())
        .execute();
      // No foreign key to users: sessions of a removed user must stay until nobody can hold a token of theirs.
      await db.schema
        .createTable("sessions")
        .addColumn("id", "text", (column) => column.primaryKey().notNull())
        .addColumn("user_name", "text", (column) => column.notNull())
        .addColumn("family_hash", "text", (column) => column.notNull())
        .addColumn("token_hash", "text", (column) => column.notNull())
        .addColumn("previous_token_hash", "text")
        .addColumn("created_ms", "bigint", (column) => column.notNull())
        .addColumn("rotated_ms", "bigint", (column) => column.notNull())
        .addColumn("expires_ms", "bigint", (column) => column.notNull())
        .addColumn("revoked_ms", "bigint")
        .execute();
      await db.schema.createIndex("sessions_by_user").on("sessions").column("user_name").execute();
      await db.schema.createIndex("sessions_by_revocation").on("sessions").column("revoked_ms").execute();
      await db.schema.createIndex("sessions_by_expiry").on("sessions").column("expires_ms").execute();
      await db.schema
        .createTable("revoked_tokens")
        .addColumn("id", "text", (column) => column.primaryKey().notNull())
        .addColumn("revoked_ms", "bigint", (column) => column.notNull())
        .addColumn("expires_ms", "bigint", (column) => column.notNull())
        .execute();
      await db.schema
        .createTable("signing_keys")
        .addColumn("generation", "integer", (column) => column.primaryKey().notNull())
        .addColumn("kid", "text", (column) => column.notNull().unique())
        .addColumn("algorithm", "text", (column) => column.notNull())
        .addColumn("private_jwk", "text", (column) => column.notNull())
        .addColumn("created_ms", "bigint", (column) => column.notNull())
        .execute();
    },
  },
  "0002-link-cursors": {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable("link_cursors")
        .addColumn("feed", "text", (column) => column.notNull())
        .addColumn("link", "text", (column) => column.notNull())
        .addColumn("last_event_id", "text", (column) => column.notNull())
        .addColumn("saved_ms", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("link_cursors_key", ["feed", "link"])
        .execute();
    },
  },
  "0003-error-groups": {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema
        .createTable("error_groups")
        .addColumn("kind", "text", (column) => column.notNull())
        .addColumn("room", "text", (column) => column.notNull())
        .addColumn("code", "text", (column) => column.notNull())
        .addColumn("peer", "text", (column) => column.notNull())
        .addColumn("sample", "text", (column) => column.notNull())
        .addColumn("count", "bigint", (column) => column.notNull())
        .addColumn("first_ms", "bigint", (column) => column.notNull())
        .addColumn("last_ms", "bigint", (column) => column.notNull())
        .addPrimaryKeyConstraint("error_groups_key", ["kind", "room", "code", "peer"])
        .execute();
      await db.schema.createIndex("error_groups_by_time").on("error_groups").column("last_ms").execute();
    },
  },
  "0004-many-sessions": {
    async up(db: Kysely<unknown>): Promise<void> {
      await db.schema.dropIndex("sessions_by_user").execute();
      await db.schema
        .createIndex("sessions_by_user_and_expiry")
        .on("sessions")
        .columns(["user_name", "expires_ms"])
        .execute();
      await db.schema.dropIndex("sessions_by_revocation").execute();
      await db.schema
        .createIndex("sessions_by_revocation_and_id")
        .on("sessions")
        .columns(["revoked_ms", "id"])
        .execute();
      await db.schema
        .createIndex("revoked_tokens_by_time_and_id")
        .on("revoked_tokens")
        .columns(["revoked_ms", "id"])
        .execute();
    },
  },
};

async function refuseNewer(db: Kysely<Tables>, name: string): Promise<void> {
  const tables = await db.introspection.getTables({ withInternalKyselyTables: true });
  if (!tables.some((table) => table.name === "kysely_migration")) return;
  const { rows } = await sql<{ name: string }>`select name from kysely_migration order by name`.execute(db);
  const unknown = rows.find((row) => !(row.name in MIGRATIONS));
  if (unknown === undefined) return;
  throw new StorageError(
    "database_newer",
    `${name} was made by a newer version of streamkeeper (it has the change "${unknown.name}"): run that version, or restore a copy from before it`,
  );
}
