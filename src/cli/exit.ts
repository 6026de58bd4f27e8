import { TlsError } from "#app/tls-pair.ts";
import { CodedError } from "#base/errors.ts";
import { ConfigError } from "#config/fault.ts";

/** Exit statuses of every command. */
export const ExitCode = {
  ok: 0,
  /** A check failed, or the work could not be done. */
  failed: 1,
  /** Bad usage or bad configuration. */
  usage: 2,
} as const;

/** Tells on standard error what was thrown, and answers the exit status that it stands for. */
export function report(thrown: unknown): number {
  if (thrown instanceof ConfigError || thrown instanceof TlsError) {
    process.stderr.write(`${thrown.message}\n`);
    return ExitCode.usage;
  }
  // What carries a code says itself what to do; anything else is a bug, and its stack is wanted.
  const text =
    thrown instanceof CodedError
      ? `streamkeeper: ${thrown.message}`
      : thrown instanceof Error
        ? (thrown.stack ?? thrown.message)
        : String(thrown);
  process.stderr.write(`${text}\n`);
  return ExitCode.failed;
}
