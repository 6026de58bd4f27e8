import { type Command, InvalidArgumentError } from "commander";
import { issueToken } from "#app/accounts-desk.ts";
import { codeOf, messageOf } from "#base/errors.ts";
import { parseDurationMs } from "#base/units.ts";
import { DEFAULT_FILE, loadConfig } from "#config/load.ts";
import { needRole } from "./user.ts";

interface Options {
  readonly config?: string;
  readonly role: string;
  readonly ttl: number;
  readonly name?: string;
  readonly json?: boolean;
}

const TTL_MS_MAX = 366 * 86_400_000;

/** Adds `token`: prints an access token that is signed with the gateway's key, for programs such as publishers. */
export function addTokenCommand(program: Command): void {
  program
    .command("token")
    .description("print a signed access token, for a publisher or another program")
    .requiredOption("--role <role>", "one of the configuration's auth.roles: what the token allows")
    .option(
      "--ttl <duration>",
      "how long it is good, such as 15m, 12h or 90d; at most 366d",
      ttlOf,
      86_400_000,
    )
    .option(
      "--name <name>",
      "who holds it, for logs and limits: the token's sub is token:NAME (default: the role)",
    )
    .option("--json", "answer as JSON, with its expiry")
    .option("-c, --config <file>", `configuration file (default: ./${DEFAULT_FILE} if there is one)`)
    .action(async (options: Options, command: Command) => {
      const config = loadConfig(options.config);
      needRole(config, options.role, command);
      if (config.database === "sqlite::memory:") {
        command.error("error: `database` is in memory, so no other process can share its signing key");
      }
      try {
        const { role, ttl, name = role } = options;
        const answer = await issueToken(config, { role, name, ttlMs: ttl });
        process.stdout.write(
          options.json ? `${JSON.stringify(answer, null, 2)}\n` : `${answer.access_token}\n`,
        );
      } catch (error) {
        if (codeOf(error) === "user_name") command.error(`error: --name: ${messageOf(error)}`);
        throw error;
      }
    });
}

function ttlOf(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === null || ms < 1000 || ms > TTL_MS_MAX) {
    throw new InvalidArgumentError("It must be a duration from 1s to 366d, such as 12h.");
  }
  return ms;
}
