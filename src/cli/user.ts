import type { Command } from "commander";
import { withAccounts } from "#app/accounts-desk.ts";
import type { Accounts } from "#auth/accounts.ts";
import type { UserRecord } from "#auth/ports.ts";
import { codeOf, messageOf } from "#base/errors.ts";
import type { Config } from "#config/config.ts";
import { DEFAULT_FILE, loadConfig } from "#config/load.ts";
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
      await onAccounts(config, command, (accounts) => accounts.add(name, password, role));
      say(`added ${name}, role ${role}`);
    });

  user
    .command("list")
    .description("list the users")
    .option("--json", "answer as JSON")
    .option(...file)
    .action(async (options: Options, command: Command) => {
      const users = await onAccounts(loadConfig(options.config), command, (accounts) =>
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
      await onAccounts(config, command, (accounts) => accounts.setPassword(name, password));
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
        await onAccounts(loadConfig(options.config), command, (accounts) => accounts[verb](name));
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

/** A name or password that no user may have is bad usage, and ends the command as such. */
async function onAccounts<Result>(
  config: Config,
  command: Command,
  use: (accounts: Accounts) => Promise<Result>,
): Promise<Result> {
  try {
    return await withAccounts(config, use);
  } catch (error) {
    const code = codeOf(error);
    if (code === "user_name" || code === "user_password") command.error(`error: ${messageOf(error)}`);
    throw error;
  }
}

async function newPassword(options: Options, command: Command): Promise<string> {
  try {
    return await readPassword({
      stdin: options.passwordStdin === true,
      label: "New password",
      confirm: true,
    });
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
