/** What `auth` asks of a database. Implemented in `storage`; one contract suite each in `test/contract`. */

export interface UserRecord {
  /** Unique, case-sensitive. */
  readonly name: string;
  /** PHC string, see `passwords.ts`. */
  readonly passwordHash: string;
  readonly role: string;
  readonly disabled: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly createdMs: number;
  /** Milliseconds since the Unix epoch. */
  readonly updatedMs: number;
}

export interface UserStore {
  find(name: string): Promise<UserRecord | null>;
  /** All users by name; at most `limit`, from after the name `after`. */
  list(page: { limit: number; after?: string }): Promise<UserRecord[]>;
  /** False: the name is taken, and nothing changed. */
  add(user: UserRecord): Promise<boolean>;
  /**
   * False: no such user, and nothing changed.
   *
   * @param ifHash only as long as this is its password's hash
   */
  update(
    name: string,
    change: Partial<Pick<UserRecord, "passwordHash" | "role" | "disabled">>,
    updatedMs: number,
    ifHash?: string,
  ): Promise<boolean>;
  /** False: no such user. The user's sessions stay, to be revoked. */
  remove(name: string): Promise<boolean>;
}

/**
 * One sign-in, from login to logout. Its refresh token has a part that stays (`family`) and one that is replaced at
 * each use (`token`); only hashes of both are stored. Whoever knows the first and not the second holds a token that
 * was replaced: that is how reuse is told from guessing, with one row a session.
 */
export interface SessionRecord {
  readonly id: string;
  readonly user: string;
  /** SHA-256, base64url. */
  readonly familyHash: string;
  /** SHA-256, base64url. */
  readonly tokenHash: string;
  /** What `tokenHash` was before the last rotation; null before the first. */
  readonly previousTokenHash: string | null;
  readonly createdMs: number;
  /** Time of the last rotation; at first that of creation. */
  readonly rotatedMs: number;
  /** When the refresh token ends. */
  readonly expiresMs: number;
  readonly revokedMs: number | null;
}

/** Something that ended before its time. */
export interface Revocation {
  readonly sessionId: string | null;
  readonly tokenId: string | null;
  readonly user: string | null;
  readonly atMs: number;
  /** When the revoked token would have expired; null for a session. */
  readonly untilMs: number | null;
}

/** Where a reading of revocations begins. Many have one time: a user's sessions all end at once. */
export interface RevocationPlace {
  readonly atMs: number;
  /** After this one of that time; null: at that time. */
  readonly id: string | null;
}

export interface SessionStore {
  add(session: SessionRecord): Promise<void>;
  find(id: string): Promise<SessionRecord | null>;
  /** A user's sessions, the newest first, at most `limit`; those that are revoked or over too, until they are pruned. */
  listOf(user: string, limit: number): Promise<SessionRecord[]>;
  /**
   * Replaces the token hash if it still is `expected` and the session is not revoked, in one step.
   * False: somebody else was first, and nothing changed.
   */
  rotate(
    id: string,
    expected: string,
    next: { tokenHash: string; rotatedMs: number; expiresMs: number },
  ): Promise<boolean>;
  /** False: unknown, or revoked before. */
  revoke(id: string, atMs: number): Promise<boolean>;
  /** Revokes all sessions of a user; answers how many. */
  revokeAllOf(user: string, atMs: number): Promise<number>;
  /** Revokes one access token without a session, by its `jti`, remembered until it would have expired. */
  revokeToken(tokenId: string, atMs: number, expiresMs: number): Promise<void>;
  /**
   * Ends all of a user's sessions but the `keep` that were used last, at most a thousand at once; answers how many. They
   * can be refreshed no more, and are not revoked: an access token of theirs lives out its time.
   */
  endOldest(user: string, keep: number, atMs: number): Promise<number>;
  /**
   * Revoked sessions from a place on, by time and id, at most `limit`. Left out are those whose last rotation was more
   * than `tokenLifeMs` before: they had no token left to revoke.
   */
  revokedSessions(from: RevocationPlace, limit: number, tokenLifeMs: number): Promise<Revocation[]>;
  /** Revoked tokens from a place on, by time and id, at most `limit`. */
  revokedTokens(from: RevocationPlace, limit: number): Promise<Revocation[]>;
  /** Forgets sessions and revoked tokens that expired before `beforeMs`, and sessions revoked before it; answers how many. */
  prune(beforeMs: number): Promise<number>;
}

export interface SigningKeyRecord {
  readonly kid: string;
  readonly algorithm: "EdDSA";
  /** Private key as a JWK (RFC 8037), in JSON. */
  readonly privateJwk: string;
  readonly createdMs: number;
}

export interface KeyStore {
  /** Newest first: the first one signs, all of them verify. */
  list(): Promise<SigningKeyRecord[]>;
  /** Keeps the key if there is none yet. Several gateways may start at once: whoever is not first changes nothing. */
  addFirst(key: SigningKeyRecord): Promise<void>;
}
