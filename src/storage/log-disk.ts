import {
  closeSync,
  constants,
  fdatasync,
  fsyncSync,
  ftruncateSync,
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
 * Methods throw what the system says, and refuse a directory that is not this process's any more.
 */
export interface LogDisk extends Disposable {
  /** Segments with their bytes, the oldest first. */
  segments(): SegmentFile[];
  read(name: string): Buffer | null;
  /** Makes a segment that begins with these bytes, all of it or nothing, on the disk when it answers; answers its descriptor. */
  create(name: string, bytes: Buffer): number;
  append(file: number, bytes: Buffer): Promise<void>;
  /** Resolves when all that was appended is on the disk. */
  sync(file: number): Promise<void>;
  close(file: number): void;
  truncate(name: string, bytes: number): void;
  remove(name: string): Promise<void>;
  /**
   * Replaces a small file's content, which has a fixed length. Removes it where that fails.
   *
   * @param isDurable whether to wait for the disk
   */
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
const LOCK_FILE = "lock";
/** What a new segment is called until it is whole. */
const NEW_SEGMENT_FILE = "segment.part";

/**
 * @param path made, for its owner alone, if need be
 * @throws LogError
 */
export async function openLogDisk(path: string, clock: Clock): Promise<LogDisk> {
  const directory = resolve(path);
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    const lock = await whenFree(clock, () => takeLock(join(directory, LOCK_FILE)));
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
  /** The lock's file. No other has its number while it is open, be it removed. */
  readonly #lockInode: number;
  #mark: number | null = null;
  #isOpen = true;

  constructor(directory: string, lock: DatabaseSync) {
    this.#directory = directory;
    this.#lock = lock;
    this.#lockInode = statSync(join(directory, LOCK_FILE)).ino;
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
    const path = this.#pathOf(name);
    const file = openSync(this.#pathOf(NEW_SEGMENT_FILE), "w", 0o600);
    try {
      writeAll(file, bytes);
      fsyncSync(file);
      // Named when it is whole: a process that is killed meanwhile leaves no segment that looks damaged.
      renameSync(this.#pathOf(NEW_SEGMENT_FILE), path);
      this.#syncDirectory();
      return file;
    } catch (error) {
      closeSync(file);
      throw error;
    }
  }

  async append(file: number, bytes: Buffer): Promise<void> {
    this.#assertOurs();
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
    const path = this.#pathOf(MARK_FILE);
    try {
      // Not for appending: Linux then writes at the end, wherever it is told to.
      this.#mark ??= openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
      if (writeSync(this.#mark, bytes, 0, bytes.length, 0) < bytes.length)
        throw new Error(`${path} was not written whole`);
      if (!isDurable) return;
      fsyncSync(this.#mark);
      this.#syncDirectory();
    } catch (error) {
      this.#unmark(path);
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
    if (!this.#isOpen) return;
    this.#isOpen = false;
    if (this.#mark !== null) closeSync(this.#mark);
    this.#mark = null;
    this.#lock.close();
  }

  /** No mark says less than a wrong one. Emptied first, for which the directory need not be writable. */
  #unmark(path: string): void {
    const mark = this.#mark;
    this.#mark = null;
    if (mark !== null) emptyAndClose(mark);
    rmSync(path, { force: true });
  }

  /**
   * Of a file in the directory that was locked: one that was put in its place, or whose lock was removed, may be another
   * process's.
   */
  #pathOf(name: string): string {
    this.#assertOurs();
    return join(this.#directory, name);
  }

  #assertOurs(): void {
    if (this.#isAnothers)
      throw new Error(`${this.#directory} is not the directory any more that this process has locked`);
  }

  get #isAnothers(): boolean {
    if (!this.#isOpen) return true;
    try {
      const lock = statSync(join(this.#directory, LOCK_FILE), { throwIfNoEntry: false });
      return lock?.ino !== this.#lockInode;
    } catch {
      // What is to be done there says it better.
      return false;
    }
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

/** As far as the disk lets it. */
function emptyAndClose(file: number): void {
  try {
    try {
      ftruncateSync(file);
    } finally {
      closeSync(file);
    }
  } catch {}
}
