import type { Command } from "commander";
import type { Gateway } from "#app/gateway.ts";
import type { Logger } from "#base/logger.ts";
import { ConfigError } from "#config/fault.ts";
import { DEFAULT_FILE, type LoadedConfig, loadConfigFile } from "#config/load.ts";
import { printConfig } from "#config/print.ts";
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
      let loaded = loadConfigFile(options.config);
      // Loaded here, so that a fault of the configuration, or another command, does not wait for the whole house.
      const { Gateway } = await import("#app/gateway.ts");
      const { openLog } = await import("#app/process-log.ts");
      const log = openLog();
      try {
        const configText = () => ({ yaml: printConfig(loaded), file: loaded.file });
        const gateway = await Gateway.open(loaded.config, { log, configText });
        const running = runUntilSignalled(gateway, () => {
          loaded = reload(gateway, options.config, log) ?? loaded;
        });
        // Who reads that it runs may stop it at once.
        log.info({ url: gateway.url, config: loaded.file, pid: process.pid }, "listening");
        await running;
      } finally {
        log.close();
      }
    });
}

/**
 * Reads the configuration again. One with faults changes nothing; the gateway itself says what a good one changes.
 *
 * @returns what is in force now; null when nothing changed
 */
function reload(gateway: Gateway, file: string | undefined, log: Logger): LoadedConfig | null {
  try {
    const loaded = loadConfigFile(file);
    return gateway.reload(loaded.config) ? loaded : null;
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    log.error({ faults: thrown.message.split("\n") }, "configuration not reloaded, nothing changed");
    return null;
  }
}

/**
 * Resolves once the gateway has drained, by a signal or by an administrator's wish. A second signal makes it exit at once, with status 1.
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
    void gateway.over.then(() => {
      process.removeListener("SIGTERM", stop).removeListener("SIGINT", stop);
      resolve();
    });
  });
  process.removeListener("SIGHUP", reload);
  process.removeListener("SIGTERM", exitAtOnce).removeListener("SIGINT", exitAtOnce);
}

function exitAtOnce(): void {
  process.exit(ExitCode.failed);
}
