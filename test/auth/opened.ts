import { Accounts } from "#auth/accounts.ts";
import { type AuthenticatorOptions, GatewayAuthenticator } from "#auth/gateway-authenticator.ts";
import type { AuthSettings } from "#auth/settings.ts";
import { silentLogger } from "#base/logger.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { openStorage, type Storage } from "#storage/storage.ts";

export const SETTINGS: AuthSettings = {
  issuer: "streamkeeper",
  audience: "streamkeeper",
  accessTokenTtlMs: 900_000,
  refreshTokenTtlMs: 30 * 86_400_000,
  trustedIssuers: [],
  anonymous: { subscribe: ["/public/*"] },
  roles: {
    trader: { subscribe: ["/quotes/*"], publish: [], admin: false },
    admin: { subscribe: ["*"], publish: ["*"], admin: true },
  },
};

export const FROM = { address: "192.0.2.1" };

export interface OpenedAuth extends AsyncDisposable {
  readonly authenticator: GatewayAuthenticator;
  readonly accounts: Accounts;
  readonly storage: Storage;
  readonly clock: VirtualClock;
}

/** An authenticator on a database in memory, in virtual time, with the user `ada` / `correct horse`, a trader. */
export async function openAuth(change: Partial<AuthenticatorOptions> = {}): Promise<OpenedAuth> {
  const clock = new VirtualClock();
  const storage = await openStorage("sqlite::memory:", { clock, logger: silentLogger });
  const accounts = new Accounts({ users: storage.users, sessions: storage.sessions, clock });
  await accounts.add("ada", "correct horse", "trader");
  const authenticator = await GatewayAuthenticator.open({
    settings: SETTINGS,
    users: storage.users,
    sessions: storage.sessions,
    keys: storage.keys,
    clock,
    log: silentLogger,
    ...change,
  });
  return {
    authenticator,
    accounts,
    storage,
    clock,
    async [Symbol.asyncDispose]() {
      await authenticator[Symbol.asyncDispose]();
      await storage.close();
    },
  };
}
