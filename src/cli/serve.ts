import type { Command } from "commander";
import type { Gateway } from "#app/gateway.ts";
import type { Logger } from "#base/logger.ts";
import { ConfigError } from "#config/fault.ts";
import { DEFAULT_FILE, loadConfigFile } from "#config/load.ts";
import { ExitCode } from "./exit.ts";

/** Adds `serve`: runs the gateway until it is told to stop. */
export function addServeCommand(program: Command): void {
  program
    .command("serve")
    .description(
      "run the gateway. SIGTERM or SIGINT: drain and exit; once more: exit at once. SIGHUP: take over the changed configuration and certificates",
    )
    .option("-c, --config <file>", `configuration file (default: ./${DEFAULT_FILE} if there is one)`)
    .action(async (options: { config?: string }) => {
      const { config, file } = loadConfigFile(options.config);
      // Loaded here, so that a fault of the configuration, or another command, does not wait for the whole house.
      const { Gateway } = await import("#app/gateway.ts");
      const { openLog } = await import("#app/process-log.ts");
      const log = openLog();
      try {
        const gateway = await Gateway.open(config, { log });
        log.info({ url: gateway.url, config: file, pid: process.pid }, "listening");
        await runUntilSignalled(gateway, () => reload(gateway, options.config, log));
      } finally {
        log.close();
      }
    });
}

/** Reads the configuration again. One with faults changes nothing; the gateway itself says what a good one changes. */
function reload(gateway: Gateway, file: string | undefined, log: Logger): void {
  try {
    gateway.reload(loadConfigFile(file).config);
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    log.error({ faults: thrown.message.split("\n") }, "configuration not reloaded, nothing changed");
  }
}

/**
 * Resolves once the gateway has drained. A second signal makes it exit at once, with status 1.
 *
 * @param reload what SIGHUP does; default: nothing
 */
export async function runUntilSignalled(gateway: Gateway, reload: () => void = () => {}): Promise<void> {
  process.on("SIGHUP", reload);
  await new Promise<void>((resolve) => {
    const stop = (signal: NodeJS.Signals) => {
      process.removeListener("SIGTERM", stop).removeListener("SIGINT", stop);
      process.once("SIGTERM", exitAtOnce).once("SIGINT", exitAtOnce);
      gateway.drain(signal).then(resolve, (thrown: unknown) => {
        process.exitCode = ExitCode.failed;
        process.stderr.write(`${String(thrown)}\n`);
        resolve();
      });
    };
    process.once("SIGTERM", stop).once("SIGINT", stop);
  });
  process.removeListener("SIGHUP", reload);
  process.removeListener("SIGTERM", exitAtOnce).removeListener("SIGINT", exitAtOnce);
}

function exitAtOnce(): void {
  process.exit(ExitCode.failed);
}
