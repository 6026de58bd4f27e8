import type { Clock } from "#base/clock.ts";
import { CodedError } from "#base/errors.ts";
import { hashPassword, passwordFault } from "./passwords.ts";
import type { SessionStore, UserRecord, UserStore } from "./ports.ts";

export type AccountErrorCode = "user_exists" | "user_unknown" | "user_name" | "user_password";

/** What an operator asked of users and could not be done. */
export class AccountError extends CodedError<AccountErrorCode> {}

/** Longest user name, in characters. */
const USER_NAME_LENGTH_MAX = 64;
/** Letters and digits of any script and `._@+-`: safe in a log line, a shell and a URL. */
const USER_NAME = /^[\p{L}\p{N}._@+-]+$/u;
const PAGE = 1000;

/**
 * What an operator does with users. Whatever takes something away ends the user's sessions, and running gateways on
 * the same database close their connections within seconds (`Revocations`). Every method throws `AccountError`.
 */
export class Accounts {
  readonly #users: UserStore;
  readonly #sessions: SessionStore;
  readonly #clock: Clock;
  readonly #passwordLengthMin: number;

  /** @param options.passwordLengthMin characters that a new password needs; default 1, as for a demo's */
  constructor(options: {
    users: UserStore;
    sessions: SessionStore;
    clock: Clock;
    passwordLengthMin?: number;
  }) {
    this.#users = options.users;
    this.#sessions = options.sessions;
    this.#clock = options.clock;
    this.#passwordLengthMin = options.passwordLengthMin ?? 1;
  }

  async add(name: string, password: string, role: string): Promise<void> {
    const fault = userNameFault(name);
    if (fault !== null) throw new AccountError("user_name", fault);
    const passwordHash = await this.#hash(password);
    const nowMs = this.#clock.nowMs();
    const user: UserRecord = {
      name,
      passwordHash,
      role,
      disabled: false,
      createdMs: nowMs,
      updatedMs: nowMs,
    };
    if (!(await this.#users.add(user))) {
      throw new AccountError(
        "user_exists",
        `there is a user ${name} already: choose another name, or use passwd`,
      );
    }
  }

  /** All users by name. */
  async *list(): AsyncGenerator<UserRecord> {
    let after: string | undefined;
    do {
      const page = await this.#users.list({ limit: PAGE, ...(after === undefined ? {} : { after }) });
      yield* page;
      after = page.length < PAGE ? undefined : page.at(-1)?.name;
    } while (after !== undefined);
  }

  /** The sessions end too: whoever knew the old password may hold one. */
  async setPassword(name: string, password: string): Promise<void> {
    await this.#need(name);
    await this.#change(name, { passwordHash: await this.#hash(password) });
    await this.#endSessions(name);
  }

  async disable(name: string): Promise<void> {
    await this.#change(name, { disabled: true });
    await this.#endSessions(name);
  }

  async enable(name: string): Promise<void> {
    await this.#change(name, { disabled: false });
  }

  async remove(name: string): Promise<void> {
    if (!(await this.#users.remove(name))) throw unknown(name);
    await this.#endSessions(name);
  }

  async #hash(password: string): Promise<string> {
    const fault = passwordFault(password, this.#passwordLengthMin);
    if (fault !== null) throw new AccountError("user_password", fault);
    return hashPassword(password);
  }

  async #need(name: string): Promise<void> {
    if ((await this.#users.find(name)) === null) throw unknown(name);
  }

  async #change(name: string, change: Partial<UserRecord>): Promise<void> {
    if (!(await this.#users.update(name, change, this.#clock.nowMs()))) throw unknown(name);
  }

  async #endSessions(name: string): Promise<void> {
    await this.#sessions.revokeAllOf(name, this.#clock.nowMs());
  }
}

/** What is wrong with a new user's name, in words; null for a good one. */
export function userNameFault(name: string): string | null {
  if (name === "" || name.length > USER_NAME_LENGTH_MAX) {
    return `a user name has 1 to ${USER_NAME_LENGTH_MAX} characters`;
  }
  return USER_NAME.test(name) ? null : "a user name holds letters, digits and . _ @ + - only";
}

function unknown(name: string): AccountError {
  return new AccountError(
    "user_unknown",
    `there is no user ${JSON.stringify(name)}: see \`streamkeeper user list\``,
  );
}
