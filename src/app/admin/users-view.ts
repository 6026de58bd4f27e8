import { AccountError, Accounts } from "#auth/accounts.ts";
import type { GatewayAuthenticator } from "#auth/gateway-authenticator.ts";
import type { SessionRecord } from "#auth/ports.ts";
import type { Clock } from "#base/clock.ts";
import type { ConnectionRegistry } from "#downstream/connection-registry.ts";
import type { AdminDesk } from "#ops/admin/ports.ts";
import type { Storage } from "#storage/storage.ts";

/** Sessions of one user that are shown. */
const SESSIONS_MAX = 200;

export interface UsersViewParts {
  readonly storage: Storage;
  readonly registry: ConnectionRegistry;
  readonly authenticator: GatewayAuthenticator;
  readonly clock: Clock;
}

/** Users and sessions as administrators see and end them. */
export class UsersView {
  readonly #parts: UsersViewParts;
  readonly #accounts: Accounts;

  constructor(parts: UsersViewParts) {
    this.#parts = parts;
    const { storage, clock } = parts;
    this.#accounts = new Accounts({ users: storage.users, sessions: storage.sessions, clock });
  }

  async list(query: Parameters<AdminDesk["users"]>[0]): ReturnType<AdminDesk["users"]> {
    const { limit, after } = query;
    const records = await this.#parts.storage.users.list({
      limit,
      ...(after === undefined ? {} : { after }),
    });
    const connections = this.#count(({ user }) => user);
    return {
      users: records.map(({ name, role, disabled, createdMs, updatedMs }) => ({
        name,
        role,
        disabled,
        createdAtMs: createdMs,
        updatedAtMs: updatedMs,
        connections: connections.get(name) ?? 0,
      })),
      next: records.length < limit ? null : (records.at(-1)?.name ?? null),
    };
  }

  async setDisabled(name: string, disabled: boolean): Promise<{ changed: number } | null> {
    try {
      if (disabled) await this.#accounts.disable(name);
      else await this.#accounts.enable(name);
    } catch (error) {
      if (error instanceof AccountError && error.code === "user_unknown") return null;
      throw error;
    }
    await this.#parts.authenticator.followRevocations();
    return { changed: 1 };
  }

  async sessions(user: string): ReturnType<AdminDesk["sessions"]> {
    const { storage } = this.#parts;
    const records = await storage.sessions.listOf(user, SESSIONS_MAX);
    if (records.length === 0 && (await storage.users.find(user)) === null) return null;
    const connections = this.#count(({ sessionId }) => sessionId ?? "");
    return {
      sessions: records.map((record: SessionRecord) => ({
        id: record.id,
        user: record.user,
        createdAtMs: record.createdMs,
        refreshedAtMs: record.rotatedMs,
        expiresAtMs: record.expiresMs,
        revokedAtMs: record.revokedMs,
        connections: connections.get(record.id) ?? 0,
      })),
    };
  }

  async revokeAllOf(user: string): Promise<{ changed: number } | null> {
    const { storage, clock, authenticator } = this.#parts;
    const changed = await storage.sessions.revokeAllOf(user, clock.nowMs());
    if (changed === 0 && (await storage.users.find(user)) === null) return null;
    await authenticator.followRevocations();
    return { changed };
  }

  async revoke(session: string): Promise<{ changed: number } | null> {
    const { storage, clock, authenticator } = this.#parts;
    if ((await storage.sessions.find(session)) === null) return null;
    const changed = Number(await storage.sessions.revoke(session, clock.nowMs()));
    await authenticator.followRevocations();
    return { changed };
  }

  #count(keyOf: (identity: { user: string; sessionId: string | null }) => string): Map<string, number> {
    const counts = new Map<string, number>();
    for (const { identity } of this.#parts.registry) {
      const key = keyOf(identity);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }
}
