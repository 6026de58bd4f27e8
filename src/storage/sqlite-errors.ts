import { messageOf } from "#base/errors.ts";
import { StorageError } from "./storage-error.ts";

/** SQLite's primary result codes (sqlite.org/rescode.html). */
const BUSY = 5;
const LOCKED = 6;
const READONLY = 8;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const NOTADB = 26;

/** Another process or handle holds a lock that is needed: worth another try. */
export function isBusy(error: unknown): boolean {
  const code = resultCodeOf(error);
  return code === BUSY || code === LOCKED;
}

/** An error of SQLite's, as one that names the file and says what helps. */
export function storageErrorOf(error: unknown, name: string): unknown {
  const options = { cause: error };
  switch (resultCodeOf(error)) {
    case BUSY:
    case LOCKED:
      return new StorageError(
        "database_locked",
        `${name} is locked by another process: end it, or try again`,
        options,
      );
    case READONLY:
      return new StorageError(
        "database_read_only",
        `${name} cannot be written: let this user write the file and its directory (chown, chmod), and check that the file system is not mounted read-only`,
        options,
      );
    case CORRUPT:
    case NOTADB:
      return new StorageError(
        "database_not_one",
        `${name} is not an SQLite database, or is damaged: set another \`database\`, or restore a copy`,
        options,
      );
    case FULL:
    case IOERR:
      return new StorageError(
        "database_full",
        `${name} cannot be written: free space on its device, or check the device (${messageOf(error)})`,
        options,
      );
    case CANTOPEN:
      return new StorageError(
        "database_unreadable",
        `${name} cannot be opened: let this user read and write the file and its directory`,
        options,
      );
    case null:
      return error;
    default:
      return new StorageError("database_failed", `${name}: ${messageOf(error)}`, options);
  }
}

function resultCodeOf(error: unknown): number | null {
  if (typeof error !== "object" || error === null) return null;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return code === "ERR_SQLITE_ERROR" && typeof errcode === "number" ? errcode & 0xff : null;
}
