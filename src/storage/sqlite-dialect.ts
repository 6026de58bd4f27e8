import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type Kysely,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import type { Clock } from "#base/clock.ts";
import { whenFree } from "./lock-wait.ts";
import { storageErrorOf } from "./sqlite-errors.ts";

export interface SqliteHandle {
  readonly database: DatabaseSync;
  /** What errors call it. */
  readonly name: string;
}

/** How many statements hold the one handle, and how many wait for it. */
export interface SqliteStats {
  open: 0 | 1;
  active: 0 | 1;
  waiting: number;
}

/**
 * Kysely's dialect for Node's own SQLite. Statements run on the main thread, which their size allows; waiting for
 * another process's lock does not: SQLite's own busy handler would block the event loop, so it is off.
 */
export class NodeSqliteDialect implements Dialect {
  readonly stats: SqliteStats = { open: 0, active: 0, waiting: 0 };
  readonly #open: () => SqliteHandle;
  readonly #clock: Clock;

  constructor(open: () => SqliteHandle, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  createAdapter(): SqliteAdapter {
    return new TransactionalSqliteAdapter();
  }

  createDriver(): Driver {
    return new NodeSqliteDriver(this.#open, this.#clock, this.stats);
  }

  createIntrospector(db: Kysely<unknown>): SqliteIntrospector {
    return new SqliteIntrospector(db);
  }

  createQueryCompiler(): SqliteQueryCompiler {
    return new SqliteQueryCompiler();
  }
}

/** SQLite does have transactional DDL; with it two processes may migrate at once, and one waits. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class NodeSqliteDriver implements Driver {
  readonly #open: () => SqliteHandle;
  readonly #clock: Clock;
  readonly #stats: SqliteStats;
  readonly #waiting: (() => void)[] = [];
  #handle: SqliteHandle | null = null;
  #connection: NodeSqliteConnection | null = null;

  constructor(open: () => SqliteHandle, clock: Clock, stats: SqliteStats) {
    this.#open = open;
    this.#clock = clock;
    this.#stats = stats;
  }

  async init(): Promise<void> {
    this.#handle = this.#open();
    this.#connection = new NodeSqliteConnection(this.#handle, this.#clock);
    this.#stats.open = 1;
  }

  /** One handle: whoever comes second waits, so that transactions do not mix. */
  async acquireConnection(): Promise<DatabaseConnection> {
    if (this.#stats.active === 1) {
      this.#stats.waiting++;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
      this.#stats.waiting--;
    }
    this.#stats.active = 1;
    if (this.#connection === null) throw new Error("the database is closed");
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    const next = this.#waiting.shift();
    if (next === undefined) this.#stats.active = 0;
    else next();
  }

  /** `immediate`: takes the write lock at once, so that no statement inside can meet another's. */
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("begin immediate"));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("commit"));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw("rollback"));
  }

  async destroy(): Promise<void> {
    const handle = this.#handle;
    this.#handle = null;
    this.#connection = null;
    this.#stats.open = 0;
    if (handle?.database.isOpen) handle.database.close();
  }
}

class NodeSqliteConnection implements DatabaseConnection {
  readonly #handle: SqliteHandle;
  readonly #clock: Clock;

  constructor(handle: SqliteHandle, clock: Clock) {
    this.#handle = handle;
    this.#clock = clock;
  }

  async executeQuery<Row>(query: CompiledQuery): Promise<QueryResult<Row>> {
    try {
      return await whenFree(this.#clock, () => this.#run<Row>(query));
    } catch (error) {
      throw storageErrorOf(error, this.#handle.name);
    }
  }

  // biome-ignore lint/correctness/useYield: nothing here asks for streamed results
  async *streamQuery<Row>(): AsyncIterableIterator<QueryResult<Row>> {
    throw new Error("streamed results are not supported");
  }

  #run<Row>(query: CompiledQuery): QueryResult<Row> {
    const statement = this.#handle.database.prepare(query.sql);
    try {
      const parameters = query.parameters as SQLInputValue[];
      if (statement.columns().length > 0) return { rows: statement.all(...parameters) as Row[] };
      const { changes, lastInsertRowid } = statement.run(...parameters);
      return { numAffectedRows: BigInt(changes), insertId: BigInt(lastInsertRowid), rows: [] };
    } finally {
      // Newer versions of Node can release a statement at once; older ones leave it to the collector.
      (statement as { close?: () => void }).close?.();
    }
  }
}
