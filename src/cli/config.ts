import type { Command } from "commander";
import { ConfigError } from "#config/fault.ts";
import { configJsonSchema } from "#config/json-schema.ts";
import { DEFAULT_FILE, type LoadedConfig, loadConfigFile } from "#config/load.ts";
import { printableConfig, printConfig } from "#config/print.ts";

/** Adds `config check|print|schema`. They write to standard output, faults to standard error. */
export function addConfigCommand(program: Command): void {
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
      const loaded = load(options);
      if (loaded === null) return;
      const from = loaded.file ?? "no file, all by default";
      if (options.json) writeJson({ ok: true, file: loaded.file, faults: [] });
      else process.stdout.write(`${from}: good (feeds: ${loaded.config.feeds.length})\n`);
    });

  config
    .command("print")
    .description("print what is in force, defaults put in and secrets hidden")
    .option(...file)
    .option("--json", "print it as JSON")
    .action((options: Options) => {
      const loaded = load(options);
      if (loaded === null) return;
      if (options.json) writeJson(printableConfig(loaded));
      else process.stdout.write(printConfig(loaded));
    });

  config
    .command("schema")
    .description("print a JSON Schema of the configuration file, for editors")
    .option("--json", "the schema is JSON with or without it")
    .action(() => writeJson(configJsonSchema()));
}

interface Options {
  readonly config?: string;
  readonly json?: boolean;
}

/** Null after a fault that has been told; the exit status is set then. */
function load(options: Options): LoadedConfig | null {
  try {
    return loadConfigFile(options.config);
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    if (options.json) writeJson({ ok: false, file: thrown.file, code: thrown.code, faults: thrown.faults });
    else process.stderr.write(`${thrown.message}\n`);
    process.exitCode = 2;
    return null;
  }
}

function writeJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
