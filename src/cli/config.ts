import type { Command } from "commander";
import { ConfigError } from "#config/fault.ts";
import { configJsonSchema } from "#config/json-schema.ts";
import { DEFAULT_FILE, type LoadedConfig, loadConfigFile } from "#config/load.ts";
import { printableConfig, printConfig } from "#config/print.ts";
import { ExitCode } from "./exit.ts";

/** Adds `config check|print|schema`. What they have to say goes to `write`, faults are thrown or, with `--json`, said. */
export function addConfigCommand(
  program: Command,
  write: Write = (text) => void process.stdout.write(text),
): void {
  const config = program.command("config").description("check, show and describe the configuration");
  const file = [
    "-c, --config <file>",
    `configuration file (default: ./${DEFAULT_FILE} if there is one)`,
  ] as const;

  config
    .command("check")
    .description("check the configuration; exit status 2 and every fault of it where it is not good")
    .option(...file)
    .option("--json", "answer as JSON")
    .action((options: Options) => {
      const loaded = load(options, write);
      if (loaded === null) return;
      if (options.json) return writeJson(write, { ok: true, file: loaded.file, faults: [] });
      const names = loaded.config.feeds.map(({ name }) => name).join(", ");
      write(`${loaded.file ?? "No file, all by default"}: good (feeds: ${names || "none"})\n`);
    });

  config
    .command("print")
    .description("print what is in force, defaults put in and secrets hidden")
    .option(...file)
    .option("--json", "print it as JSON")
    .action((options: Options) => {
      const loaded = load(options, write);
      if (loaded === null) return;
      if (options.json) writeJson(write, printableConfig(loaded));
      else write(printConfig(loaded));
    });

  config
    .command("schema")
    .description("print a JSON Schema of the configuration file, for editors")
    .option("--json", "the schema is JSON with or without it")
    .action(() => writeJson(write, configJsonSchema()));
}

type Write = (text: string) => void;

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

/** Null after faults that have been told as JSON; the exit status is set then. */
function load(options: Options, write: Write): LoadedConfig | null {
  try {
    return loadConfigFile(options.config);
  } catch (thrown) {
    if (!(thrown instanceof ConfigError) || !options.json) throw thrown;
    writeJson(write, { ok: false, file: thrown.file, code: thrown.code, faults: thrown.faults });
    process.exitCode = ExitCode.usage;
    return null;
  }
}

function writeJson(write: Write, value: unknown): void {
  write(`${JSON.stringify(value, null, 2)}\n`);
}
