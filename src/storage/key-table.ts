import type { Kysely } from "kysely";
import type { KeyStore, SigningKeyRecord } from "#auth/ports.ts";
import type { Tables } from "./schema.ts";

export class KeyTable implements KeyStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async list(): Promise<SigningKeyRecord[]> {
    const rows = await this.#db
      .selectFrom("signing_keys")
      .selectAll()
      .orderBy("generation", "desc")
      .execute();
    return rows.map((row) => ({
      kid: row.kid,
      algorithm: "EdDSA",
      privateJwk: row.private_jwk,
      createdMs: row.created_ms,
    }));
  }

  /** Generation 1 is a primary key: of several that insert it at once, the database lets one through. */
  async addFirst(key: SigningKeyRecord): Promise<void> {
    await this.#db
      .insertInto("signing_keys")
      .values({
        generation: 1,
        kid: key.kid,
        algorithm: key.algorithm,
        private_jwk: key.privateJwk,
        created_ms: key.createdMs,
      })
      .onConflict((conflict) => conflict.column("generation").doNothing())
      .execute();
  }
}
