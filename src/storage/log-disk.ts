import {
  closeSync,
  constants,
  fdatasync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  write,
  writeSync,
} from "node:fs";
import { unlink } from "node:fs/promises";
import { join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import type { Clock } from "#base/clock.ts";
import { codeOf } from "#base/errors.ts";
import { whenFree } from "./lock-wait.ts";
import { LogError } from "./log-error.ts";
import { isBusy } from "./sqlite-errors.ts";

/**
 * The directory of the log on disk, of one process alone. Small things are done at once, what may be long is awaited.
 * Methods throw what the system says.
 */
export interface LogDisk extends Disposable {
  /** Segments with their bytes, the oldest first. */
  segments(): SegmentFile[];
  read(name: string): Buffer | null;
  /** Makes a segment that begins with these bytes, on the disk when it answers; answers its descriptor. */
  create(name: string, bytes: Buffer): number;
  append(file: number, bytes: Buffer): Promise<void>;
  /** Resolves when all that was appended is on the disk. */
  sync(file: number): Promise<void>;
  close(file: number): void;
  truncate(name: string, bytes: number): void;
  remove(name: string): Promise<void>;
  /** Replaces a small file's content, which has a fixed length. @param isDurable whether to wait for the disk */
  mark(bytes: Buffer, isDurable: boolean): void;
  /** Makes a file of these chunks, on the disk when it answers; all of it or nothing. */
  write(name: string, chunks: Iterable<Buffer>): void;
}

export interface SegmentFile {
  readonly name: string;
  readonly bytes: number;
}

/** What segments' names end with. */
export const SEGMENT_SUFFIX = ".events";
/** The file of the mark. */
export const MARK_FILE = "mark";

/**
 * @param path made, for its owner alone, if need be
 * @throws LogError
 */
export async function openLogDisk(path: string, clock: Clock): Promise<LogDisk> {
  const directory = resolve(path);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const lock = await whenFree(clock, () => takeLock(join(directory, "lock")));
    return new LogDirectory(directory, lock);
  } catch (error) {
    if (!isBusy(error)) throw LogError.ofDirectory(directory, error);
    const message = `the directory ${directory} (log.persist) is another gateway's: end it, or set another`;
    throw new LogError("log_locked", message, { cause: error });
  }
}

/** Which start of the machine this is; null where the system does not say. */
export function bootIdOfMachine(): string | null {
  try {
    return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
  } catch {
    return null;
  }
}

/** SQLite's lock is the operating system's: it ends with its process, however that ends, and is no file to be stale. */
function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec("begin exclusive");
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

const writeSome = promisify(write);
const syncData = promisify(fdatasync);

class LogDirectory implements LogDisk {
  readonly #directory: string;
  readonly #lock: DatabaseSync;
  #mark: number | null = null;

  constructor(directory: string, lock: DatabaseSync) {
    this.#directory = directory;
    this.#lock = lock;
  }

  segments(): SegmentFile[] {
    return readdirSync(this.#directory)
      .filter((name) => name.endsWith(SEGMENT_SUFFIX))
      .sort()
      .map((name) => ({ name, bytes: statSync(this.#pathOf(name)).size }));
  }

  read(name: string): Buffer | null {
    try {
      return readFileSync(this.#pathOf(name));
    } catch (error) {
      if (codeOf(error) === "ENOENT") return null;
      throw error;
    }
  }

  create(name: string, bytes: Buffer): number {
    const file = openSync(this.#pathOf(name), "w", 0o600);
    try {
      writeAll(file, bytes);
      fsyncSync(file);
      this.#syncDirectory();
      return file;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  async append(file: number, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await writeSome(file, bytes, at, bytes.length - at, null);
      at += bytesWritten;
    }
  }

  sync(file: number): Promise<void> {
    return syncData(file);
  }

  close(file: number): void {
    closeSync(file);
  }

  truncate(name: string, bytes: number): void {
    truncateSync(this.#pathOf(name), bytes);
  }

  async remove(name: string): Promise<void> {
    try {
      await unlink(this.#pathOf(name));
    } catch (error) {
      if (codeOf(error) !== "ENOENT") throw error;
    }
  }

  mark(bytes: Buffer, isDurable: boolean): void {
    try {
      // Not for appending: Linux then writes at the end, wherever it is told to.
      this.#mark ??= openSync(this.#pathOf(MARK_FILE), constants.O_RDWR | constants.O_CREAT, 0o600);
      writeSync(this.#mark, bytes, 0, bytes.length, 0);
      if (!isDurable) return;
      fsyncSync(this.#mark);
      this.#syncDirectory();
    } catch (error) {
      // No mark says less than a wrong one.
      if (this.#mark !== null) closeSync(this.#mark);
      this.#mark = null;
      rmSync(this.#pathOf(MARK_FILE), { force: true });
      throw error;
    }
  }

  write(name: string, chunks: Iterable<Buffer>): void {
    const file = openSync(this.#pathOf(`${name}.part`), "w", 0o600);
    try {
      for (const chunk of chunks) writeAll(file, chunk);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(this.#pathOf(`${name}.part`), this.#pathOf(name));
    this.#syncDirectory();
  }

  [Symbol.dispose](): void {
    if (this.#mark !== null) closeSync(this.#mark);
    this.#mark = null;
    this.#lock.close();
  }

  #pathOf(name: string): string {
    return join(this.#directory, name);
  }

  /** So that new names are there too when the machine goes down. */
  #syncDirectory(): void {
    const directory = openSync(this.#directory, "r");
    try {
      fsyncSync(directory);
    } finally {
      closeSync(directory);
    }
  }
}

function writeAll(file: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at);
}
