import { signAccessToken } from "#auth/access-token.ts";
import { openSigningKeys } from "#auth/signing-keys.ts";
import type { Clock } from "#base/clock.ts";
import { silentLogger } from "#base/logger.ts";
import { loadConfig } from "#config/load.ts";
import { openStorage } from "#storage/storage.ts";
import { SOAK_ROLE } from "./gateway-file.ts";

/** Access tokens of so many users, as `streamkeeper token` makes them, from the database of the gateway's file. */
export async function signTokens(
  file: string,
  count: number,
  ttlMs: number,
  clock: Clock,
): Promise<string[]> {
  const config = loadConfig(file);
  await using storage = await openStorage(config.database, { clock, logger: silentLogger });
  const keys = await openSigningKeys(storage.keys, clock);
  const { issuer, audience } = config.auth;
  const tokens: string[] = [];
  for (let index = 0; index < count; index++) {
    const claims = { user: `token:soak-${index}`, role: SOAK_ROLE, sessionId: null, ttlMs };
    tokens.push((await signAccessToken(claims, { issuer, audience, keys, clock })).token);
  }
  return tokens;
}
