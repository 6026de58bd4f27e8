import type { TopicMatcher } from "#protocol/topic-matcher.ts";

/**
 * Room `auth`: who a connection is and what it may do: tokens, passwords, sessions, policy, and the ports behind
 * which users, sessions and keys are stored. It may use `base` and `protocol`; it knows no database and no
 * connection.
 */

/** Topics that something is allowed for. Immutable, so identities of one role share one. */
export interface Grants {
  readonly matchers: readonly TopicMatcher[];
  /** Whether any of the matchers matches the topic. Cheap: answers of patterns are remembered, within a bound. */
  covers(topic: string): boolean;
}

export interface Identity {
  /** `anonymous`: no credentials. `user`: signed in with a password. `token`: an access token without a session. */
  readonly kind: "anonymous" | "user" | "token";
  /** The user's name, or the token's `sub`; "" for anonymous. */
  readonly user: string;
  /** The configured role whose grants these are; null for anonymous and for other issuers' tokens. */
  readonly role: string | null;
  readonly subscribe: Grants;
  readonly publish: Grants;
  readonly admin: boolean;
  /** The access token's `jti`; null for anonymous. */
  readonly tokenId: string | null;
  /** The session that the token belongs to; null when it has none. */
  readonly sessionId: string | null;
  /** When the access token ends, in milliseconds since the Unix epoch; null: never (anonymous). */
  readonly expiresAtMs: number | null;
  /** What the issuer attached to subscriptions, first match wins (Mercure draft-08, "Payloads"). Absent: nothing. */
  readonly payloads?: readonly SubscriptionPayload[];
}

export interface SubscriptionPayload {
  readonly topics: Grants;
  readonly payload: object;
}

/** Which live connections revocations end: those of any of the sessions, and those of any of the tokens. */
export interface RevocationFilter {
  readonly sessionIds: ReadonlySet<string>;
  readonly tokenIds: ReadonlySet<string>;
}

export function isRevokedBy({ kind, sessionId, tokenId }: Identity, filter: RevocationFilter): boolean {
  if (kind === "anonymous") return false;
  return (
    (sessionId !== null && filter.sessionIds.has(sessionId)) ||
    (tokenId !== null && filter.tokenIds.has(tokenId))
  );
}
