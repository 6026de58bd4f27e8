import { signAccessToken } from "#auth/access-token.ts";
import { AccountError, Accounts, userNameFault } from "#auth/accounts.ts";
import { PASSWORD_LENGTH_MIN } from "#auth/passwords.ts";
import { openSigningKeys } from "#auth/signing-keys.ts";
import { silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import type { Config } from "#config/config.ts";
import { openStorage } from "#storage/storage.ts";

/**
 * Opens the configured database for the time of `use`: what an operator does with users, beside a running gateway.
 *
 * @throws StorageError, and `AccountError` as `Accounts` does
 */
export async function withAccounts<Result>(
  config: Config,
  use: (accounts: Accounts) => Promise<Result>,
): Promise<Result> {
  const clock = new SystemClock();
  await using storage = await openStorage(config.database, { clock, logger: silentLogger });
  const { users, sessions } = storage;
  return await use(new Accounts({ users, sessions, clock, passwordLengthMin: PASSWORD_LENGTH_MIN }));
}

/** A token that a program holds, in OAuth's field names. */
export interface IssuedToken {
  readonly access_token: string;
  readonly token_type: "Bearer";
  /** Seconds. */
  readonly expires_in: number;
  /** ISO 8601. */
  readonly expires_at: string;
  readonly role: string;
  readonly sub: string;
}

/**
 * Signs an access token with the gateway's key, without a session.
 *
 * @param token.name who holds it; its `sub` is `token:NAME`, since no user's name holds a colon
 * @throws StorageError, and `AccountError` for a name that is not one
 */
export async function issueToken(
  config: Config,
  token: { readonly role: string; readonly name: string; readonly ttlMs: number },
): Promise<IssuedToken> {
  const fault = userNameFault(token.name);
  if (fault !== null) throw new AccountError("user_name", fault);
  const clock = new SystemClock();
  await using storage = await openStorage(config.database, { clock, logger: silentLogger });
  const keys = await openSigningKeys(storage.keys, clock);
  const { issuer, audience } = config.auth;
  const sub = `token:${token.name}`;
  const claims = { user: sub, role: token.role, sessionId: null, ttlMs: token.ttlMs };
  const signed = await signAccessToken(claims, { issuer, audience, keys, clock });
  const { issuedAtMs, expiresAtMs } = signed.verified;
  return {
    access_token: signed.token,
    token_type: "Bearer",
    expires_in: (expiresAtMs - issuedAtMs) / 1000,
    expires_at: new Date(expiresAtMs).toISOString(),
    role: token.role,
    sub,
  };
}
