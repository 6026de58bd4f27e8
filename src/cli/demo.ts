import { relative } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import { SystemClock } from "#base/system-clock.ts";
import { parseConfig } from "#config/load.ts";
import { printConfig } from "#config/print.ts";
import { DemoLog } from "./demo-log.ts";
import { demoConfig, demoGuide } from "./demo-text.ts";
import { runUntilSignalled } from "./serve.ts";

/** Adds `demo`: a real feed in a second process, a gateway on it, and something to try at once. */
export function addDemoCommand(program: Command): void {
  program
    .command("demo")
    .description(
      "run a feed server in a second process and a gateway on it, with the user demo/demo, on loopback",
    )
    .option("--port <port>", "port of the gateway; 0: any free one", portOf, 8080)
    .option(
      "--reset-seconds <seconds>",
      "about how often the feed resets a connection; 0: never",
      secondsOf,
      30,
    )
    .action(async (options: { port: number; resetSeconds: number }) => {
      const { Gateway } = await import("#app/gateway.ts");
      const { startDemoFeed } = await import("#lab/demo-feed/process.ts");
      const log = new DemoLog();
      await using feed = await startDemoFeed(new SystemClock(), { resetSeconds: options.resetSeconds });
      const loaded = parseConfig(demoConfig(feed.url, options.port), null, {});
      const configText = () => ({ yaml: printConfig(loaded), file: null });
      const gateway = await Gateway.open(loaded.config, { log, configText });
      await gateway.addUser("demo", "demo", "trader");
      void feed.ended.then((status) => log.warn({ status }, "the demo feed ended; its link keeps trying"));
      // Who reads that it runs may stop it at once.
      const running = runUntilSignalled(gateway);
      process.stdout.write(demoGuide(gateway.url, commandPath(), nodePath()));
      await running;
    });
}

/** How this program was started, as it can be typed. */
function commandPath(): string {
  return import.meta.url.endsWith(".ts") ? "bin/streamkeeper" : "streamkeeper";
}

/** A Node that has a global WebSocket, as it can be typed. */
function nodePath(): string {
  const path = relative(process.cwd(), process.execPath);
  return path.startsWith("node_modules") ? path : process.execPath;
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535)
    throw new InvalidArgumentError("It must be a number from 0 to 65535.");
  return port;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds > 86_400)
    throw new InvalidArgumentError("It must be a number of seconds.");
  return seconds;
}
