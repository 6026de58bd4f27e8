import { CodedError, messageOf } from "#base/errors.ts";

/** Every way in which the log on disk fails at opening or later. A closed list. */
export const LogErrorCode = {
  log_directory: "log_directory",
  log_locked: "log_locked",
  log_write_failed: "log_write_failed",
  log_stalled: "log_stalled",
} as const;
export type LogErrorCode = (typeof LogErrorCode)[keyof typeof LogErrorCode];

/** What each code means and what follows, for the documentation. */
export const LOG_ERRORS: Readonly<Record<LogErrorCode, string>> = {
  log_directory: "at the start: `log.persist` can't be made, read or written",
  log_locked: "at the start: another gateway keeps its log in `log.persist`",
  log_write_failed:
    "the log could not be written, for example since the disk is full. It goes on in memory, and is written anew as soon as that works; a crash until then loses it, and clients are told",
  log_stalled: "the disk has not taken anything for ten seconds; as with `log_write_failed`",
};

export class LogError extends CodedError<LogErrorCode> {
  static ofDirectory(directory: string, cause: unknown): LogError {
    const what = `the directory ${directory} (log.persist) can't be used: let this user read and write it`;
    return new LogError("log_directory", `${what} (${messageOf(cause)})`, { cause });
  }
}
