import type { Command } from "commander";
import { AccountError, Accounts } from "#auth/accounts.ts";
import { passwordFault } from "#auth/passwords.ts";
import type { UserRecord } from "#auth/ports.ts";
import { silentLogger } from "#base/logger.ts";
import { SystemClock } from "#base/system-clock.ts";
import type { Config } from "#config/config.ts";
import { DEFAULT_FILE, loadConfig } from "#config/load.ts";
import { openStorage } from "#storage/storage.ts";
import { PromptError, readPassword } from "./prompt.ts";

interface Options {
  readonly config?: string;
  readonly role?: string;
  readonly passwordStdin?: boolean;
  readonly json?: boolean;
}

/** Adds `user add|list|passwd|disable|enable|remove`: users in the database that the configuration names. */
export function addUserCommand(program: Command): void {
  const user = program.command("user").description("manage the users in the database");
  const file = [
    "-c, --config <file>",
    `configuration file (default: ./${DEFAULT_FILE} if there is one)`,
  ] as const;
  const stdin = ["--password-stdin", "read the password from standard input"] as const;

  user
    .command("add <name>")
    .description("add a user; asks for the password, or takes it from STREAMKEEPER_PASSWORD")
    .requiredOption("--role <role>", "one of the configuration's auth.roles")
    .option(...stdin)
    .option(...file)
    .action(async (name: string, options: Options, command: Command) => {
      const config = loadConfig(options.config);
      const role = options.role ?? "";
      needRole(config, role, command);
      const password = await newPassword(options, command);
      await withAccounts(config, command, (accounts) => accounts.add(name, password, role));
      say(`added ${name}, role ${role}`);
    });

  user
    .command("list")
    .description("list the users")
    .option("--json", "answer as JSON")
    .option(...file)
    .action(async (options: Options, command: Command) => {
      const users = await withAccounts(loadConfig(options.config), command, (accounts) =>
        Array.fromAsync(accounts.list()),
      );
      process.stdout.write(
        options.json ? `${JSON.stringify(users.map(publicUser), null, 2)}\n` : table(users),
      );
    });

  user
    .command("passwd <name>")
    .description("change a user's password; signs the user out everywhere")
    .option(...stdin)
    .option(...file)
    .action(async (name: string, options: Options, command: Command) => {
      const config = loadConfig(options.config);
      const password = await newPassword(options, command);
      await withAccounts(config, command, (accounts) => accounts.setPassword(name, password));
      say(`changed the password of ${name}; running gateways sign ${name} out within seconds`);
    });

  const changes = [
    ["disable", "keep a user from signing in; signs the user out everywhere", "disabled"],
    ["enable", "let a disabled user sign in again", "enabled"],
    ["remove", "remove a user; signs the user out everywhere", "removed"],
  ] as const;
  for (const [verb, description, done] of changes) {
    user
      .command(`${verb} <name>`)
      .description(description)
      .option(...file)
      .action(async (name: string, options: Options, command: Command) => {
        await withAccounts(loadConfig(options.config), command, (accounts) => accounts[verb](name));
        say(
          `${done} ${name}${verb === "enable" ? "" : `; running gateways sign ${name} out within seconds`}`,
        );
      });
  }
}

/** Ends the command as bad usage unless the role is configured. */
export function needRole(config: Config, role: string, command: Command): void {
  if (Object.hasOwn(config.auth.roles, role)) return;
  const known = Object.keys(config.auth.roles).join(", ");
  command.error(`error: there is no role ${JSON.stringify(role)} in auth.roles; there are: ${known}`);
}

/** Opens the database for the time of `use`. */
async function withAccounts<Result>(
  config: Config,
  command: Command,
  use: (accounts: Accounts) => Promise<Result>,
): Promise<Result> {
  const clock = new SystemClock();
  await using storage = await openStorage(config.database, { clock, logger: silentLogger });
  try {
    return await use(new Accounts({ users: storage.users, sessions: storage.sessions, clock }));
  } catch (error) {
    if (error instanceof AccountError && error.code === "user_name") command.error(`error: ${error.message}`);
    throw error;
  }
}

async function newPassword(options: Options, command: Command): Promise<string> {
  try {
    const password = await readPassword({
      stdin: options.passwordStdin === true,
      label: "New password",
      confirm: true,
    });
    const fault = passwordFault(password);
    if (fault !== null) command.error(`error: ${fault}`);
    return password;
  } catch (error) {
    if (error instanceof PromptError) command.error(`error: ${error.message}`);
    throw error;
  }
}

function publicUser(user: UserRecord) {
  return {
    name: user.name,
    role: user.role,
    disabled: user.disabled,
    created: new Date(user.createdMs).toISOString(),
    updated: new Date(user.updatedMs).toISOString(),
  };
}

function table(users: readonly UserRecord[]): string {
  if (users.length === 0) return "no users; add one with `streamkeeper user add NAME --role ROLE`\n";
  const rows = [
    ["NAME", "ROLE", "STATE", "CREATED"],
    ...users.map((user) => [
      user.name,
      user.role,
      user.disabled ? "disabled" : "enabled",
      new Date(user.createdMs).toISOString().slice(0, 19).replace("T", " "),
    ]),
  ];
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join("  ")
          .trimEnd()}\n`,
    )
    .join("");
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
