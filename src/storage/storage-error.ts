import { CodedError } from "#base/errors.ts";

/** Every way in which the database fails at opening or later. A closed list. */
export const StorageErrorCode = {
  database_url: "database_url",
  database_missing: "database_missing",
  database_unreadable: "database_unreadable",
  database_read_only: "database_read_only",
  database_not_one: "database_not_one",
  database_locked: "database_locked",
  database_full: "database_full",
  database_unreachable: "database_unreachable",
  database_refused: "database_refused",
  database_newer: "database_newer",
  database_failed: "database_failed",
} as const;
export type StorageErrorCode = (typeof StorageErrorCode)[keyof typeof StorageErrorCode];

/** What each code means and what helps, for the documentation; messages name the file or host. */
export const STORAGE_ERRORS: Readonly<Record<StorageErrorCode, string>> = {
  database_url: "`database` is neither `sqlite:FILE` nor `postgres://…`",
  database_missing: "the file or its directory is not there and could not be made",
  database_unreadable: "the file may not be read by this user, or is a directory",
  database_read_only: "the file, its directory or its file system may not be written",
  database_not_one: "the file is not an SQLite database, or is damaged; restore a copy",
  database_locked: "another process holds the database and did not let go in time",
  database_full: "no space is left on the device, or writing failed",
  database_unreachable: "the PostgreSQL server does not answer",
  database_refused: "the PostgreSQL server refused the user, the password or the database",
  database_newer: "the database was made by a newer version; run that one, or restore a copy from before",
  database_failed: "the database refused a statement for another cause",
};

export class StorageError extends CodedError<StorageErrorCode> {}
