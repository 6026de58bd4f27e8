import { type Command, InvalidArgumentError } from "commander";
import type { Clock } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import { SystemClock } from "#base/system-clock.ts";
import { StepFailure } from "./check-step.ts";
import { type CheckTarget, CheckUsageError, parseTarget } from "./check-target.ts";
import { ExitCode } from "./exit.ts";
import {
  type Allowed,
  askWhatIsAllowed,
  type Credentials,
  type SignedIn,
  signInOverHttp,
  signInOverWebSocket,
  signOut,
} from "./login-steps.ts";
import { PromptError, readPassword } from "./prompt.ts";

interface Options {
  readonly url: string;
  readonly user: string;
  readonly passwordStdin?: boolean;
  readonly json?: boolean;
  readonly ca?: string;
  readonly timeout: number;
}

export type LoginStep = "http" | "identity" | "websocket" | "sign-out";

export interface LoginStepReport {
  readonly name: LoginStep;
  readonly ok: boolean;
  /** Milliseconds it took. */
  readonly ms: number;
  /** What was found, or why it failed. */
  readonly detail: string;
  /** What to do about a failure; null: nothing. */
  readonly advice: string | null;
}

export interface LoginReport {
  readonly ok: boolean;
  readonly role: string | null;
  /** When the access token ends, ISO 8601. */
  readonly expiresAt: string | null;
  readonly subscribe: readonly string[];
  readonly publish: readonly string[];
  readonly steps: readonly LoginStepReport[];
}

/** Adds `login`: signs in over HTTP and over WebSocket and says what the user gets, then signs out again. */
export function addLoginCommand(program: Command): void {
  program
    .command("login")
    .description("test a sign-in over HTTP and over WebSocket; exit status 1 if one fails")
    .requiredOption("--url <url>", "the gateway, such as https://events.example.com")
    .requiredOption(
      "--user <name>",
      "user to sign in as; asks for the password, or takes STREAMKEEPER_PASSWORD",
    )
    .option("--password-stdin", "read the password from standard input")
    .option("--ca <file>", "PEM file of certificates to trust beside the usual ones")
    .option("--timeout <seconds>", "how long each step may take", secondsOf, 10_000)
    .option("--json", "answer as JSON")
    .action(async (options: Options, command: Command) => {
      const { target, credentials } = await inputsOf(options, command);
      const onStep = options.json
        ? () => {}
        : (step: LoginStepReport) => void process.stdout.write(stepText(step));
      const report = await testLogin(target, credentials, options.timeout, new SystemClock(), onStep);
      process.stdout.write(options.json ? `${JSON.stringify(report, null, 2)}\n` : summaryText(report));
      process.exitCode = report.ok ? ExitCode.ok : ExitCode.failed;
    });
}

/** Every step that can be made is made; a failed one is told and keeps back those that need it. */
export async function testLogin(
  target: CheckTarget,
  credentials: Credentials,
  timeoutMs: number,
  clock: Clock,
  onStep: (step: LoginStepReport) => void,
): Promise<LoginReport> {
  const steps: LoginStepReport[] = [];
  const sessions: SignedIn[] = [];
  const step = async <Found>(
    name: LoginStep,
    work: (signal: AbortSignal) => Promise<Found>,
    detailOf: (found: Found) => string,
  ): Promise<Found | null> => {
    const startMs = clock.monotonicMs();
    const end = (ok: boolean, detail: string, advice: string | null): void => {
      const report = { name, ok, ms: Math.round((clock.monotonicMs() - startMs) * 10) / 10, detail, advice };
      steps.push(report);
      onStep(report);
    };
    try {
      const found = await work(AbortSignal.timeout(timeoutMs));
      end(true, detailOf(found), null);
      return found;
    } catch (thrown) {
      end(false, messageOf(thrown), thrown instanceof StepFailure ? thrown.advice : null);
      return null;
    }
  };

  const overHttp = await step("http", (signal) => signInOverHttp(target, credentials, signal), signedInText);
  if (overHttp !== null) sessions.push(overHttp);
  const allowed =
    overHttp === null
      ? null
      : await step(
          "identity",
          (signal) => askWhatIsAllowed(target, overHttp.accessToken, signal),
          allowedText,
        );
  const overWebSocket = await step(
    "websocket",
    (signal) => signInOverWebSocket(target, credentials, signal),
    signedInText,
  );
  if (overWebSocket !== null) sessions.push(overWebSocket);
  if (sessions.length > 0) {
    await step(
      "sign-out",
      (signal) => signOut(target, sessions, signal),
      () => `${sessions.length} sessions ended`,
    );
  }
  return {
    ok: steps.every(({ ok }) => ok),
    role: (overHttp ?? overWebSocket)?.role ?? null,
    expiresAt: allowed?.expiresAt ?? null,
    subscribe: allowed?.subscribe ?? [],
    publish: allowed?.publish ?? [],
    steps,
  };
}

async function inputsOf(
  options: Options,
  command: Command,
): Promise<{ target: CheckTarget; credentials: Credentials }> {
  try {
    const target = parseTarget(options.url, options.ca);
    const password = await readPassword({ stdin: options.passwordStdin === true });
    return { target, credentials: { user: options.user, password } };
  } catch (error) {
    if (error instanceof CheckUsageError || error instanceof PromptError)
      command.error(`error: ${error.message}`);
    throw error;
  }
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

function signedInText(found: SignedIn): string {
  return `role ${found.role}, for ${Math.round(found.expiresInS)} s`;
}

function allowedText(found: Allowed): string {
  const rights = `${found.subscribe.length} to subscribe, ${found.publish.length} to publish`;
  return found.admin ? `${rights}, administrator` : rights;
}

function secondsOf(text: string): number {
  const seconds = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || seconds <= 0 || seconds > 600) {
    throw new InvalidArgumentError("It must be a number of seconds, up to 600.");
  }
  return seconds * 1000;
}
