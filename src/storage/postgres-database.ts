import { PostgresDialect } from "kysely";
import { Pool, types } from "pg";
import type { Clock } from "#base/clock.ts";
import { codeOf, messageOf } from "#base/errors.ts";
import { LendingPool } from "./lending-pool.ts";
import { StorageError } from "./storage-error.ts";

/** Most connections to PostgreSQL. What is asked of it is short; more would only wait there. */
const CONNECTIONS_MAX = 8;
const CONNECT_TIMEOUT_MS = 10_000;
/** The server's own bound for a statement. */
const STATEMENT_TIMEOUT_MS = 10_000;
/** Ours, later than the server's: for a server that says nothing any more. */
const ANSWER_TIMEOUT_MS = 12_000;
/** A connection that is silent for so long is asked whether its other end is still there. */
const KEEP_ALIVE_MS = 30_000;
const INT8_OID = 20;

export interface PostgresDatabase {
  readonly dialect: PostgresDialect;
  readonly pool: Pool;
  /** Gives up what waits for an answer, and whatever will: for an end that can't wait for a silent server. */
  abandon(): void;
  /** What errors call it: host and database, never user or password. */
  readonly name: string;
}

/**
 * Opens a pool and makes sure that it reaches the server.
 *
 * @param options.onIdleError told when the server ends a connection that nobody uses; the pool replaces it
 * @param options.answerTimeoutMs default 12 s, above the server's own bound
 * @param options.isPatient whether statements may take as long as they like
 * @throws StorageError
 */
export async function openPostgres(
  url: string,
  {
    clock,
    onIdleError,
    answerTimeoutMs = ANSWER_TIMEOUT_MS,
    isPatient = false,
  }: {
    clock: Clock;
    onIdleError: (error: Error) => void;
    answerTimeoutMs?: number;
    isPatient?: boolean;
  },
): Promise<PostgresDatabase> {
  const name = nameOf(url);
  const pool = new Pool({
    connectionString: url,
    max: CONNECTIONS_MAX,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...(isPatient ? {} : { statement_timeout: STATEMENT_TIMEOUT_MS, query_timeout: answerTimeoutMs }),
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    idleTimeoutMillis: 60_000,
    application_name: "streamkeeper",
    types: { getTypeParser: (oid, format) => (oid === INT8_OID ? Number : types.getTypeParser(oid, format)) },
  });
  pool.on("error", onIdleError);
  const lending = new LendingPool(pool, clock);
  try {
    const client = await pool.connect();
    client.release();
    return { dialect: new PostgresDialect({ pool: lending }), pool, name, abandon: () => lending.abandon() };
  } catch (error) {
    await lending.end();
    throw postgresErrorOf(error, name);
  }
}

/** An error of the server's or the network's, as one that names the server and says what helps. */
export function postgresErrorOf(error: unknown, name: string): unknown {
  const code = codeOf(error);
  const options = { cause: error };
  const said = messageOf(error);
  if (
    code === "ECONNREFUSED" ||
    code === "ENOTFOUND" ||
    code === "ETIMEDOUT" ||
    code === "EHOSTUNREACH" ||
    /timeout/i.test(said)
  ) {
    return new StorageError(
      "database_unreachable",
      `${name} does not answer (${said}): check host and port, and that the server runs`,
      options,
    );
  }
  // 28: invalid authorization, 3D000: no such database, 42501: insufficient privilege (PostgreSQL, "Error Codes").
  if (code !== undefined && /^(28...|3D000|42501)$/.test(code)) {
    return new StorageError(
      "database_refused",
      `${name} refused (${said}): check user, password, database and rights`,
      options,
    );
  }
  return new StorageError("database_failed", `${name}: ${said}`, options);
}

function nameOf(url: string): string {
  const parsed = URL.parse(url);
  if (parsed === null)
    throw new StorageError(
      "database_url",
      "`database` is not a PostgreSQL URL: write postgres://user@host/database",
    );
  return `the PostgreSQL database ${parsed.pathname.slice(1) || "(default)"} at ${parsed.host || "the local socket"}`;
}
