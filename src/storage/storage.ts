import { Kysely } from "kysely";
import type { KeyStore, SessionStore, UserStore } from "#auth/ports.ts";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { ErrorStore } from "#ops/error-keeper.ts";
import type { LinkCursorStore } from "#protocol/link-cursor-store.ts";
import { ErrorTable } from "./error-table.ts";
import { KeyTable } from "./key-table.ts";
import { LinkCursorTable } from "./link-cursor-table.ts";
import { migrate } from "./migrations.ts";
import { openPostgres, postgresErrorOf } from "./postgres-database.ts";
import type { Tables } from "./schema.ts";
import { SessionTable } from "./session-table.ts";
import { openSqliteFile } from "./sqlite-database.ts";
import { NodeSqliteDialect } from "./sqlite-dialect.ts";
import { StorageError } from "./storage-error.ts";
import { UserTable } from "./user-table.ts";

/**
 * Room `storage`: SQLite and PostgreSQL behind the ports of other rooms. It may use `base` and the ports' types;
 * nobody but `app` and `cli` may import it.
 */
export interface Storage extends AsyncDisposable {
  readonly users: UserStore;
  readonly sessions: SessionStore;
  readonly keys: KeyStore;
  readonly linkCursors: LinkCursorStore;
  readonly errors: ErrorStore;
  /** Which database, for people: the file, or host and database. No secret in it. */
  readonly name: string;
  /** For the metric `database_connections{state}`. */
  connections(): DatabaseConnections;
  /**
   * Statements under way and all later ones fail now, where a server would have to answer them: it may have fallen
   * silent. For an end that has waited long enough; a file's statements are not waited for.
   */
  abandon(): void;
  /** Idempotent. Waits for statements under way. */
  close(): Promise<void>;
}

export interface DatabaseConnections {
  /** Open, and running a statement or a transaction. */
  readonly active: number;
  /** Open and unused. */
  readonly idle: number;
  /** Callers that wait for a connection. */
  readonly waiting: number;
}

/**
 * Opens the database and brings its tables up to date.
 *
 * @param url `sqlite:FILE`, `sqlite::memory:` or `postgres://…`
 * @throws StorageError naming the file or server, and what to do
 */
export async function openStorage(
  url: string,
  { clock, logger }: { clock: Clock; logger: Logger },
): Promise<Storage> {
  if (url.startsWith("sqlite:")) return openSqlite(url.slice("sqlite:".length), clock);
  if (/^postgres(ql)?:\/\//.test(url)) return openOnPostgres(url, clock, logger);
  throw new StorageError("database_url", "`database` must be sqlite:FILE or postgres://user@host/database");
}

async function openSqlite(path: string, clock: Clock): Promise<Storage> {
  if (path === "") throw new StorageError("database_url", "`database` names no file: write sqlite:FILE");
  // Opened here, not at Kysely's first query, so that what is wrong with the file is said as such.
  const handle = await openSqliteFile(path, clock);
  const dialect = new NodeSqliteDialect(() => handle, clock);
  const db = new Kysely<Tables>({ dialect });
  try {
    await migrate(db, handle.name);
  } catch (error) {
    await db.destroy();
    if (handle.database.isOpen) handle.database.close();
    throw error;
  }
  return storageOn(db, handle.name, () => {
    const { open, active, waiting } = dialect.stats;
    return { active, idle: open - active, waiting };
  });
}

async function openOnPostgres(url: string, clock: Clock, logger: Logger): Promise<Storage> {
  const onIdleError = (error: Error) =>
    logger.warn({ err: error.message }, "the database ended an idle connection");
  await migratePostgres(url, clock, onIdleError);
  const { dialect, pool, name, abandon } = await openPostgres(url, { clock, onIdleError });
  const db = new Kysely<Tables>({ dialect });
  const connections = () => ({
    active: pool.totalCount - pool.idleCount,
    idle: pool.idleCount,
    waiting: pool.waitingCount,
  });
  return storageOn(db, name, connections, abandon);
}

/** By connections of its own: an index of a large table takes longer than any statement may afterwards, and others wait for it. */
async function migratePostgres(
  url: string,
  clock: Clock,
  onIdleError: (error: Error) => void,
): Promise<void> {
  const { dialect, name } = await openPostgres(url, { clock, onIdleError, isPatient: true });
  const db = new Kysely<Tables>({ dialect });
  try {
    await migrate(db, name);
  } catch (error) {
    throw error instanceof StorageError ? error : postgresErrorOf(error, name);
  } finally {
    await db.destroy();
  }
}

function storageOn(
  db: Kysely<Tables>,
  name: string,
  connections: () => DatabaseConnections,
  abandon: () => void = () => {},
): Storage {
  let closing: Promise<void> | null = null;
  const close = (): Promise<void> => {
    closing ??= db.destroy();
    return closing;
  };
  return {
    users: new UserTable(db),
    sessions: new SessionTable(db),
    keys: new KeyTable(db),
    linkCursors: new LinkCursorTable(db),
    errors: new ErrorTable(db),
    name,
    connections,
    abandon,
    close,
    [Symbol.asyncDispose]: close,
  };
}
