#!/usr/bin/env node
/**
 * Room `cli`: one file a command. It may use `app`, `config` and, loaded only when asked for, `lab`.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addCheckCommand } from "./check.ts";
import { addConfigCommand } from "./config.ts";
import { addDemoCommand } from "./demo.ts";
import { ExitCode, report } from "./exit.ts";
import { addLoadCommand } from "./load.ts";
import { addLoginCommand } from "./login.ts";
import { ensureMemoryOptions } from "./memory-options.ts";
import { addServeCommand } from "./serve.ts";
import { addSimulateCommand } from "./simulate.ts";
import { addSoakCommand } from "./soak.ts";
import { addTokenCommand } from "./token.ts";
import { addUserCommand } from "./user.ts";

const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

const program = new Command("streamkeeper")
  .description(
    "Keeps event streams alive: a few SSE links to feeds, many signed-in WebSocket and SSE clients.",
  )
  .version(version)
  .showHelpAfterError("(run it with --help to see what it takes)")
  .exitOverride();

for (const add of [
  addServeCommand,
  addDemoCommand,
  addLoginCommand,
  addCheckCommand,
  addUserCommand,
  addTokenCommand,
  addConfigCommand,
  addLoadCommand,
  addSoakCommand,
  addSimulateCommand,
]) {
  add(program);
}

// Before anything is opened: the process may be started anew.
program.hook("preAction", (_program, command) => {
  if (command.name() === "serve" || command.name() === "demo") ensureMemoryOptions();
});

try {
  await program.parseAsync();
} catch (thrown) {
  if (thrown instanceof CommanderError)
    process.exitCode = thrown.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
  else process.exitCode = report(thrown);
}
