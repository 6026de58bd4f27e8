import { type Command, InvalidArgumentError, Option } from "commander";
import { SystemClock } from "#base/system-clock.ts";
import { parseDurationMs } from "#base/units.ts";
import type { StepReport } from "#lab/check/step.ts";
import { ExitCode } from "./exit.ts";
import { PromptError, readPassword } from "./prompt.ts";

interface Options {
  readonly url: string;
  readonly topic?: string;
  readonly user?: string;
  readonly passwordStdin?: boolean;
  readonly ca?: string;
  readonly timeout: number;
  readonly json?: boolean;
}

/** Adds `check`: the connection test, step by step. Exit status 1 when a step failed. */
export function addCheckCommand(program: Command): void {
  program
    .command("check")
    .description(
      "test the connection to a gateway step by step: DNS, TCP, TLS, HTTP, sign-in, SSE, WebSocket, subscribe, first event, resume after a forced break",
    )
    .requiredOption("--url <url>", "the gateway's root, such as https://events.example.com")
    .option("--topic <topic>", "subscribe to this topic, wait for an event, and test resuming")
    .option("--user <name>", "sign in as this user; the password is asked for, or from STREAMKEEPER_PASSWORD")
    .option("--password-stdin", "read the password from standard input")
    .option("--ca <file>", "PEM file of certificates to trust beside the usual ones")
    .addOption(
      new Option("--timeout <duration>", "longest time for each step")
        .default(10_000, "10s")
        .argParser(durationOf),
    )
    .option("--json", "answer as JSON")
    .action(async (options: Options, command: Command) => {
      const { CheckUsageError } = await import("#lab/check/target.ts");
      try {
        process.exitCode = await check(options);
      } catch (thrown) {
        if (thrown instanceof CheckUsageError || thrown instanceof PromptError) {
          command.error(`error: ${thrown.message}`);
        }
        throw thrown;
      }
    });
}

async function check(options: Options): Promise<number> {
  const { parseTarget } = await import("#lab/check/target.ts");
  const { runCheck } = await import("#lab/check/run.ts");
  const target = parseTarget(options.url, options.ca);
  const credentials =
    options.user === undefined
      ? null
      : { user: options.user, password: await readPassword({ stdin: options.passwordStdin === true }) };
  const checked = { target, topic: options.topic ?? null, credentials, timeoutMs: options.timeout };
  const onStep = options.json ? () => {} : (step: StepReport) => void process.stdout.write(stepText(step));
  const { ok, steps } = await runCheck(checked, new SystemClock(), onStep);
  const summary = options.json
    ? `${JSON.stringify({ ok, url: options.url, steps }, null, 2)}\n`
    : verdictText(steps);
  process.stdout.write(summary);
  return ok ? ExitCode.ok : ExitCode.failed;
}

const OUTCOME_TEXTS = { ok: "ok    ", failed: "FAILED", skipped: "-     " } as const;

function stepText({ name, outcome, ms, detail, advice }: StepReport): string {
  const time = outcome === "skipped" ? "" : `${ms} ms`;
  const line = `${OUTCOME_TEXTS[outcome]}  ${name.padEnd(16)}  ${time.padStart(8)}  ${detail}\n`;
  return advice === null ? line : `${line}${" ".repeat(36)}→ ${advice}\n`;
}

function verdictText(steps: readonly StepReport[]): string {
  const failed = steps.find(({ outcome }) => outcome === "failed");
  const skipped = steps.filter(({ outcome }) => outcome === "skipped").length;
  if (failed !== undefined) return `\nThe test failed at ${failed.name}.\n`;
  return skipped === 0
    ? "\nAll is well.\n"
    : `\nAll that was tested is well; ${skipped} of ${steps.length} steps were skipped.\n`;
}

function durationOf(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === null || ms < 100 || ms > 600_000) {
    throw new InvalidArgumentError("It must be a duration from 100ms to 10m, such as 10s.");
  }
  return ms;
}
