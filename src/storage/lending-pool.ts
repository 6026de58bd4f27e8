import type { PostgresPool, PostgresPoolClient, PostgresQueryResult } from "kysely";
import { type Client, DatabaseError, type Pool, type PoolClient } from "pg";
import type { Clock } from "#base/clock.ts";

/** How long a server may take to answer a goodbye before its connection is cut, in milliseconds. */
const GOODBYE_MS = 1_000;

/**
 * `pg`'s pool as Kysely uses it, for a server that falls silent or goes away in the middle. By itself the pool would
 * lend a connection out again on which a statement was given up (`query_timeout`) and which still waits for its
 * answer; and a connection that ended while it was lent out would end the process, since nobody heard its `error`.
 */
export class LendingPool implements PostgresPool {
  readonly options: object;
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #open = new Set<Client>();
  readonly #lent = new Set<Client>();
  /** Whoever waits for an answer, to be told that none will come. */
  readonly #waiting = new Set<(error: Error) => void>();
  #isAbandoned = false;
  #isEnding = false;

  constructor(pool: Pool, clock: Clock) {
    this.options = pool.options;
    this.#pool = pool;
    this.#clock = clock;
    pool.on("connect", (client) => {
      this.#open.add(client);
      client.once("end", () => this.#open.delete(client));
      // The statement under way fails with the same error, and the pool's own listener hears those of idle ones.
      client.on("error", () => {});
    });
  }

  async connect(): Promise<PostgresPoolClient> {
    const connecting = this.#pool.connect();
    try {
      const client = await this.#unlessAbandoned(connecting);
      this.#lent.add(client);
      return new LentClient(client, {
        waitFor: (answer) => this.#unlessAbandoned(answer),
        takeBack: (isSpent) => this.#takeBack(client, isSpent),
      });
    } catch (error) {
      connecting.then(
        (client) => this.#takeBack(client, true),
        () => {},
      );
      throw error;
    }
  }

  /** Whoever waits for an answer waits no longer, nor does anybody later. */
  abandon(): void {
    this.#isAbandoned = true;
    for (const giveUp of this.#waiting) giveUp(abandoned());
  }

  /** Waits for statements under way, and no longer than `GOODBYE_MS` for a server that does not answer a goodbye. */
  async end(): Promise<void> {
    this.#isEnding = true;
    const ended = this.#pool.end();
    for (const client of this.#open) if (!this.#lent.has(client)) this.#cutLater(client);
    await ended;
  }

  #takeBack(client: PoolClient, isSpent: boolean): void {
    this.#lent.delete(client);
    client.release(isSpent);
    // The pool would say goodbye, and wait for the answer before it lets go of what is spent.
    if (isSpent) client.connection.stream.destroy();
    else if (this.#isEnding) this.#cutLater(client);
  }

  #cutLater(client: Client): void {
    if (!this.#open.has(client)) return;
    const deadline = this.#clock.after(GOODBYE_MS, () => client.connection.stream.destroy());
    client.once("end", () => deadline.cancel());
  }

  /** As the answer settles, or rejects before it. */
  async #unlessAbandoned<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting.add(reject);
    answer.then(resolve, reject);
    if (this.#isAbandoned) reject(abandoned());
    try {
      return await promise;
    } finally {
      this.#waiting.delete(reject);
    }
  }
}

function abandoned(): Error {
  return new Error("the database did not answer, and is waited for no longer");
}

/** What a lent connection asks of whoever lent it. */
interface Lender {
  waitFor<Answer>(answer: Promise<Answer>): Promise<Answer>;
  /** @param isSpent whether nothing can be run on it any more */
  takeBack(isSpent: boolean): void;
}

class LentClient implements PostgresPoolClient {
  readonly #client: PoolClient;
  readonly #lender: Lender;
  /** Why no statement can be run on it any more. */
  #spentBy: unknown = null;

  constructor(client: PoolClient, lender: Lender) {
    this.#client = client;
    this.#lender = lender;
  }

  // Only the form with a text: the other takes a cursor, which nobody here uses.
  query: PostgresPoolClient["query"] = ((sql: string, parameters: readonly unknown[]) =>
    this.#run(sql, parameters)) as PostgresPoolClient["query"];

  release(destroy = false): void {
    this.#lender.takeBack(destroy || this.#spentBy !== null);
  }

  async #run(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<unknown>> {
    // A rollback, say: it would wait behind the statement that is not answered.
    if (this.#spentBy !== null) throw this.#spentBy;
    const answer = this.#client.query(sql, [...parameters]);
    try {
      return (await this.#lender.waitFor(answer)) as unknown as PostgresQueryResult<unknown>;
    } catch (error) {
      // The server's own refusals leave the connection as it was; of any other failure nobody knows how it left it.
      if (!(error instanceof DatabaseError)) this.#spentBy = error;
      throw error;
    }
  }
}
