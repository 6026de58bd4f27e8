import { type Command, InvalidArgumentError, Option } from "commander";
import { SystemClock } from "#base/system-clock.ts";
import { parseDurationMs } from "#base/units.ts";
import type { LoginReport, LoginStep, LoginStepReport } from "#lab/login/run.ts";
import { ExitCode } from "./exit.ts";
import { PromptError, readPassword } from "./prompt.ts";

interface Options {
  readonly url: string;
  readonly user: string;
  readonly passwordStdin?: boolean;
  readonly json?: boolean;
  readonly ca?: string;
  readonly timeout: number;
}

/** Adds `login`: signs in over HTTP and over WebSocket and says what the user gets, then signs out again. */
export function addLoginCommand(program: Command): void {
  program
    .command("login")
    .description("test a sign-in over HTTP and over WebSocket; exit status 1 if one fails")
    .requiredOption("--url <url>", "the gateway's root, such as https://events.example.com")
    .requiredOption(
      "--user <name>",
      "user to sign in as; the password is asked for, or from STREAMKEEPER_PASSWORD",
    )
    .option("--password-stdin", "read the password from standard input")
    .option("--ca <file>", "PEM file of certificates to trust beside the usual ones")
    .addOption(
      new Option("--timeout <duration>", "longest time for each step")
        .default(10_000, "10s")
        .argParser(durationOf),
    )
    .option("--json", "answer as JSON")
    .action(async (options: Options, command: Command) => {
      const { testLogin } = await import("#lab/login/run.ts");
      const { CheckUsageError, parseTarget } = await import("#lab/check/target.ts");
      try {
        const target = parseTarget(options.url, options.ca);
        const password = await readPassword({ stdin: options.passwordStdin === true });
        const onStep = options.json
          ? () => {}
          : (step: LoginStepReport) => void process.stdout.write(stepText(step));
        const credentials = { user: options.user, password };
        const report = await testLogin(target, credentials, options.timeout, new SystemClock(), onStep);
        process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : summaryText(report));
        process.exitCode = report.ok ? ExitCode.ok : ExitCode.failed;
      } catch (error) {
        if (error instanceof CheckUsageError || error instanceof PromptError)
          command.error(`error: ${error.message}`);
        throw error;
      }
    });
}

const LABELS: Readonly<Record<LoginStep, string>> = {
  http: "sign in over HTTP",
  identity: "what is allowed",
  websocket: "sign in over WebSocket",
  "sign-out": "sign out",
};

function stepText(step: LoginStepReport): string {
  const line = `${step.ok ? "ok    " : "FAILED"}  ${LABELS[step.name].padEnd(22)}  ${step.ms.toFixed(1).padStart(8)} ms  ${step.detail}\n`;
  return step.advice === null ? line : `${line}        → ${step.advice}\n`;
}

function summaryText(report: LoginReport): string {
  if (report.role === null) return "\nsigning in failed\n";
  const list = (topics: readonly string[]): string => (topics.length === 0 ? "(nothing)" : topics.join(" "));
  return [
    "",
    `role       ${report.role}`,
    `expires    ${report.expiresAt ?? "unknown"}`,
    `subscribe  ${list(report.subscribe)}`,
    `publish    ${list(report.publish)}`,
    "",
  ].join("\n");
}

function durationOf(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === null || ms < 100 || ms > 600_000) {
    throw new InvalidArgumentError("It must be a duration from 100ms to 10m, such as 10s.");
  }
  return ms;
}
