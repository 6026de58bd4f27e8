import type { Kysely } from "kysely";
import type { Revocation, RevocationPlace, SessionRecord, SessionStore } from "#auth/ports.ts";
import type { Tables } from "./schema.ts";

/** Rows that one sign-in ends: the first one after an upgrade may find very many. */
const ENDED_AT_ONCE_MAX = 1_000;

export class SessionTable implements SessionStore {
  readonly #db: Kysely<Tables>;

  constructor(db: Kysely<Tables>) {
    this.#db = db;
  }

  async add(session: SessionRecord): Promise<void> {
    await this.#db
      .insertInto("sessions")
      .values({
        id: session.id,
        user_name: session.user,
        family_hash: session.familyHash,
        token_hash: session.tokenHash,
        previous_token_hash: session.previousTokenHash,
        created_ms: session.createdMs,
        rotated_ms: session.rotatedMs,
        expires_ms: session.expiresMs,
        revoked_ms: session.revokedMs,
      })
      .execute();
  }

  async find(id: string): Promise<SessionRecord | null> {
    const row = await this.#db.selectFrom("sessions").selectAll().where("id", "=", id).executeTakeFirst();
    return row === undefined ? null : recordOf(row);
  }

  async listOf(user: string, limit: number): Promise<SessionRecord[]> {
    const rows = await this.#db
      .selectFrom("sessions")
      .selectAll()
      .where("user_name", "=", user)
      .orderBy("created_ms", "desc")
      .limit(limit)
      .execute();
    return rows.map(recordOf);
  }

  async rotate(
    id: string,
    expected: string,
    next: { tokenHash: string; rotatedMs: number; expiresMs: number },
  ): Promise<boolean> {
    const result = await this.#db
      .updateTable("sessions")
      .set({
        token_hash: next.tokenHash,
        previous_token_hash: expected,
        rotated_ms: next.rotatedMs,
        expires_ms: next.expiresMs,
      })
      .where("id", "=", id)
      .where("token_hash", "=", expected)
      .where("revoked_ms", "is", null)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n;
  }

  async revoke(id: string, atMs: number): Promise<boolean> {
    const result = await this.#db
      .updateTable("sessions")
      .set({ revoked_ms: atMs })
      .where("id", "=", id)
      .where("revoked_ms", "is", null)
      .executeTakeFirst();
    return result.numUpdatedRows === 1n;
  }

  async revokeAllOf(user: string, atMs: number): Promise<number> {
    const result = await this.#db
      .updateTable("sessions")
      .set({ revoked_ms: atMs })
      .where("user_name", "=", user)
      .where("revoked_ms", "is", null)
      .executeTakeFirst();
    return Number(result.numUpdatedRows);
  }

  async revokeToken(tokenId: string, atMs: number, expiresMs: number): Promise<void> {
    await this.#db
      .insertInto("revoked_tokens")
      .values({ id: tokenId, revoked_ms: atMs, expires_ms: expiresMs })
      .onConflict((conflict) => conflict.column("id").doNothing())
      .execute();
  }

  async endOldest(user: string, keep: number, atMs: number): Promise<number> {
    const result = await this.#db
      .updateTable("sessions")
      .set({ expires_ms: atMs })
      .where("id", "in", (query) =>
        query
          .selectFrom("sessions")
          .select("id")
          .where("user_name", "=", user)
          .where("expires_ms", ">", atMs)
          .where("revoked_ms", "is", null)
          .orderBy("rotated_ms", "desc")
          .orderBy("id")
          .limit(ENDED_AT_ONCE_MAX)
          .offset(keep),
      )
      .executeTakeFirst();
    return Number(result.numUpdatedRows);
  }

  async revokedSessions(from: RevocationPlace, limit: number, tokenLifeMs: number): Promise<Revocation[]> {
    const { atMs, id } = from;
    const rows = await this.#db
      .selectFrom("sessions")
      .select(["id", "user_name", "revoked_ms"])
      .where(({ eb, refTuple, tuple }) =>
        id === null
          ? eb("revoked_ms", ">=", atMs)
          : eb(refTuple("revoked_ms", "id"), ">", tuple<number | null, string>(atMs, id)),
      )
      .where((eb) => eb("rotated_ms", ">=", eb("revoked_ms", "-", tokenLifeMs)))
      .orderBy("revoked_ms")
      .orderBy("id")
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      sessionId: row.id,
      tokenId: null,
      user: row.user_name,
      atMs: row.revoked_ms ?? 0,
      untilMs: null,
    }));
  }

  async revokedTokens({ atMs, id }: RevocationPlace, limit: number): Promise<Revocation[]> {
    const rows = await this.#db
      .selectFrom("revoked_tokens")
      .select(["id", "revoked_ms", "expires_ms"])
      .where(({ eb, refTuple, tuple }) =>
        id === null ? eb("revoked_ms", ">=", atMs) : eb(refTuple("revoked_ms", "id"), ">", tuple(atMs, id)),
      )
      .orderBy("revoked_ms")
      .orderBy("id")
      .limit(limit)
      .execute();
    return rows.map((row) => ({
      sessionId: null,
      tokenId: row.id,
      user: null,
      atMs: row.revoked_ms,
      untilMs: row.expires_ms,
    }));
  }

  async prune(beforeMs: number): Promise<number> {
    const sessions = await this.#db
      .deleteFrom("sessions")
      .where((where) => where.or([where("expires_ms", "<", beforeMs), where("revoked_ms", "<", beforeMs)]))
      .executeTakeFirst();
    const tokens = await this.#db
      .deleteFrom("revoked_tokens")
      .where("expires_ms", "<", beforeMs)
      .executeTakeFirst();
    return Number(sessions.numDeletedRows + tokens.numDeletedRows);
  }
}

function recordOf(row: Tables["sessions"]): SessionRecord {
  return {
    id: row.id,
    user: row.user_name,
    familyHash: row.family_hash,
    tokenHash: row.token_hash,
    previousTokenHash: row.previous_token_hash,
    createdMs: row.created_ms,
    rotatedMs: row.rotated_ms,
    expiresMs: row.expires_ms,
    revokedMs: row.revoked_ms,
  };
}
