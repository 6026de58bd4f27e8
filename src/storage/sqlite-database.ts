import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  statSync,
} from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Clock } from "#base/clock.ts";
import { codeOf, messageOf } from "#base/errors.ts";
import { whenFree } from "./lock-wait.ts";
import type { SqliteHandle } from "./sqlite-dialect.ts";
import { storageErrorOf } from "./sqlite-errors.ts";
import { StorageError } from "./storage-error.ts";

/**
 * Opens an SQLite file, made if need be, once no other process has it for itself. It holds password hashes and the private signing key, so its directory is
 * made with mode 0700 and the file is kept at 0600; a directory that was there before is left as it is.
 *
 * @param path file, relative to the working directory; `:memory:` for a database that ends with the process
 * @throws StorageError
 */
export async function openSqliteFile(path: string, clock: Clock): Promise<SqliteHandle> {
  const file = path === ":memory:" ? path : resolve(path);
  const name = path === ":memory:" ? "the database in memory" : `the database ${file}`;
  if (file !== ":memory:") prepareFile(file, name);
  try {
    return { database: await whenFree(clock, () => openDatabase(file)), name };
  } catch (error) {
    throw storageErrorOf(error, name);
  }
}

function openDatabase(file: string): DatabaseSync {
  // `timeout` 0: see `whenFree` for how locks are waited for.
  const database = new DatabaseSync(file, { enableForeignKeyConstraints: true, timeout: 0 });
  try {
    if (file !== ":memory:") database.exec("pragma journal_mode = wal");
    // WAL with NORMAL survives a crash of the process; a power cut may lose the last transactions, never the file.
    database.exec("pragma synchronous = normal");
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** Made with its mode before SQLite opens it: SQLite gives `-wal` and `-shm` the mode of the file. */
function prepareFile(file: string, name: string): void {
  const directory = dirname(file);
  try {
    if (!existsSync(directory)) mkdirSync(directory, { recursive: true, mode: 0o700 });
    if (!existsSync(file)) closeSync(openSync(file, "a", 0o600));
    const stat = statSync(file);
    if (stat.isDirectory()) {
      throw new StorageError(
        "database_unreadable",
        `${name} is a directory: set \`database\` to a file in it`,
      );
    }
    // Another's file, such as on a volume shared by group, is as that one made it: only its owner may change the mode.
    if ((stat.mode & 0o077) !== 0 && stat.uid === process.geteuid?.()) chmodSync(file, 0o600);
    accessSync(file, constants.R_OK);
    // SQLite would open the file for reading only, and fail at the first sign-in.
    if (!isWritable(file)) {
      throw new StorageError(
        "database_read_only",
        `${name} cannot be written: let this user write it (chown, chmod)`,
      );
    }
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw fileErrorOf(error, name, directory);
  }
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function fileErrorOf(error: unknown, name: string, directory: string): StorageError {
  const options = { cause: error };
  switch (codeOf(error)) {
    case "EACCES":
    case "EPERM":
      return new StorageError(
        "database_unreadable",
        `${name} cannot be opened: let this user read and write the file and ${directory} (chown, chmod)`,
        options,
      );
    case "EROFS":
      return new StorageError(
        "database_read_only",
        `${name} cannot be written: its file system is read-only`,
        options,
      );
    case "ENOSPC":
      return new StorageError(
        "database_full",
        `${name} cannot be written: no space is left on its device`,
        options,
      );
    case "ENOTDIR":
    case "EEXIST":
      return new StorageError(
        "database_missing",
        `${name} cannot be made: a part of ${directory} is a file, not a directory`,
        options,
      );
    default:
      return new StorageError("database_missing", `${name} cannot be opened: ${messageOf(error)}`, options);
  }
}
