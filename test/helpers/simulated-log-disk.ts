import { type LogDisk, SEGMENT_SUFFIX, type SegmentFile } from "#storage/log-disk.ts";

/** A kind of operation that can fail. */
export type DiskOperation = "create" | "append" | "sync" | "remove" | "mark" | "write" | "segments";

export interface DiskFault {
  readonly of: DiskOperation | "all";
  readonly code: "ENOSPC" | "EACCES" | "EIO";
  /** Whether it fails when its work is done, all but for the answer. */
  readonly isLate: boolean;
}

interface File {
  bytes: Buffer;
}

/**
 * A log's directory in memory. It fails as it is told to, what takes time ends when it is told to, and after each change
 * somebody hears of it: what is there then is what a process leaves that is killed at that moment.
 */
export class SimulatedLogDisk implements LogDisk {
  fault: DiskFault | null = null;
  /** Whether what takes time waits for `step`. */
  isSlow = false;
  changed: () => void = () => {};
  readonly #files = new Map<string, File>();
  readonly #open = new Map<number, File>();
  readonly #pending: (() => void)[] = [];
  #descriptor = 2;

  constructor(contents: ReadonlyMap<string, Buffer> = new Map()) {
    for (const [name, bytes] of contents) this.#files.set(name, { bytes });
  }

  /** Bytes are never written over, so that this is a copy. */
  contents(): Map<string, Buffer> {
    return new Map(Array.from(this.#files, ([name, { bytes }]) => [name, bytes]));
  }

  /** Ends what has waited longest. Answers whether something had. */
  step(): boolean {
    const end = this.#pending.shift();
    end?.();
    return end !== undefined;
  }

  /** How much is under way. */
  get waiting(): number {
    return this.#pending.length;
  }

  get descriptorsOpen(): number {
    return this.#open.size;
  }

  segments(): SegmentFile[] {
    return this.#work("segments", () =>
      [...this.#files]
        .filter(([name]) => name.endsWith(SEGMENT_SUFFIX))
        .map(([name, { bytes }]) => ({ name, bytes: bytes.length }))
        .sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  }

  read(name: string): Buffer | null {
    return this.#files.get(name)?.bytes ?? null;
  }

  create(name: string, bytes: Buffer): number {
    const file = { bytes: Buffer.from(bytes) };
    this.#work("create", () => this.#files.set(name, file));
    this.#open.set(++this.#descriptor, file);
    return this.#descriptor;
  }

  async append(descriptor: number, bytes: Buffer): Promise<void> {
    const half = Math.ceil(bytes.length / 2);
    // Looked up anew for each: closed under a write, it is another file's or nobody's.
    this.#extend(descriptor, bytes.subarray(0, half));
    await this.#time();
    this.#work("append", () => this.#extend(descriptor, bytes.subarray(half)));
  }

  async sync(descriptor: number): Promise<void> {
    await this.#time();
    this.#work("sync", () => this.#fileOf(descriptor));
  }

  close(descriptor: number): void {
    this.#fileOf(descriptor);
    this.#open.delete(descriptor);
  }

  truncate(name: string, bytes: number): void {
    const file = this.#files.get(name) as File;
    file.bytes = file.bytes.subarray(0, bytes);
    this.changed();
  }

  async remove(name: string): Promise<void> {
    await this.#time();
    this.#work("remove", () => this.#files.delete(name));
  }

  mark(bytes: Buffer, _isDurable: boolean): void {
    try {
      this.#work("mark", () => this.#files.set("mark", { bytes: Buffer.from(bytes) }));
    } catch (error) {
      this.#files.delete("mark");
      this.changed();
      throw error;
    }
  }

  write(name: string, chunks: Iterable<Buffer>): void {
    // The chunks' memory is used again.
    const bytes = Buffer.concat(Array.from(chunks, (chunk) => Buffer.from(chunk)));
    this.#work("write", () => this.#files.set(name, { bytes }));
  }

  [Symbol.dispose](): void {}

  #work<Result>(operation: DiskOperation, work: () => Result): Result {
    const fault = this.fault?.of === "all" || this.fault?.of === operation ? this.fault : null;
    const fail = () => Object.assign(new Error(`${operation}: ${fault?.code}`), { code: fault?.code });
    if (fault !== null && !fault.isLate) throw fail();
    const result = work();
    this.changed();
    if (fault !== null) throw fail();
    return result;
  }

  #time(): Promise<void> {
    if (!this.isSlow) return Promise.resolve();
    return new Promise((resolve) => this.#pending.push(resolve));
  }

  #extend(descriptor: number, bytes: Buffer): void {
    const file = this.#fileOf(descriptor);
    file.bytes = Buffer.concat([file.bytes, bytes]);
    this.changed();
  }

  #fileOf(descriptor: number): File {
    const file = this.#open.get(descriptor);
    if (file === undefined) throw new Error(`EBADF: ${descriptor} is not open`);
    return file;
  }
}
