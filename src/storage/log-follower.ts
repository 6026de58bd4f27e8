import type { Clock, Timer } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import type { FollowedLog } from "#hub/hub.ts";
import { CLOSING_FILE, encodeClosing, type LogClosing } from "./log-closing.ts";
import type { LogDisk } from "./log-disk.ts";
import { LogError } from "./log-error.ts";
import { encodeMark, type LogMark } from "./log-mark.ts";
import { BATCH_BYTES, RecordBatch } from "./log-record.ts";
import { encodeSegmentHead, SEGMENT_HEAD_BYTES, type Segment, segmentName } from "./log-segment.ts";

/** Events are gathered for so long before they are written, in milliseconds. */
export const GATHER_MS = 5;
/** How long after a failure the files are written anew. */
export const RETRY_MS = 5000;
/** A disk that has taken nothing for so long counts as failing. */
export const STALLED_MS = 10_000;
/** How long the orderly end may take. */
export const CLOSE_MS_MAX = 15_000;

export interface LogFollowerOptions {
  readonly disk: LogDisk;
  readonly log: FollowedLog;
  readonly epoch: string;
  readonly bootId: string | null;
  readonly clock: Clock;
  /** What the log holds at most, in bytes; asked at each use. */
  readonly bytesMax: () => number;
  /** Told once of each failure, and when the files are whole again. */
  readonly told: { failed(error: LogError): void; recovered(): void };
}

/**
 * Keeps the files a copy of the log, written behind: publishing never waits for a disk. The log itself is what still has to
 * be written, so there is no other queue to fill: a disk that is slower than the events come skips what was let go.
 *
 *     level ──event──> behind ──written──> level
 *                        │ failed
 *                        └──> failing ──after a while, all of it anew──> behind
 *
 * The mark says `behind` before anybody gets an event, and `level` when the files have all of them.
 */
export class LogFollower implements AsyncDisposable {
  readonly #options: LogFollowerOptions;
  readonly #batch = new RecordBatch();
  #segments: Segment[] = [];
  /** The last segment's; null: it is still to be made. */
  #file: number | null = null;
  /** Everything through this sequence is in the files, or was let go. */
  #position = 0;
  #state: "level" | "behind" | "failing" | "closed" = "closed";
  /** Whether the mark on the disk may say that the files have everything. */
  #saysLevel = false;
  #timer: Timer | null = null;
  #running: Promise<void> | null = null;
  #progressMs = 0;
  #hasTold = false;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
  }

  /**
   * Goes on behind what was recovered and restored.
   *
   * @param segments that hold all that the log holds
   * @throws what the system says
   */
  async open(segments: readonly Segment[]): Promise<void> {
    const { log, clock, disk } = this.#options;
    this.#segments = [...segments];
    this.#position = log.head;
    this.#progressMs = clock.monotonicMs();
    this.#begin(Math.max(segments.at(-1)?.lastEvent ?? 0, log.evictedThrough));
    // On the disk before anybody gets an event: else, with the power gone, what the life before left would count again.
    try {
      this.#state = "level";
      this.#mark("level", true);
      await disk.remove(CLOSING_FILE);
    } catch (error) {
      this.#stop();
      throw error;
    }
  }

  /** Bytes in files. */
  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.bytes, 0);
  }

  /** Sequence numbers that are not in the files yet. */
  get behind(): number {
    return this.#options.log.head - this.#position;
  }

  /** Whether a crash now would lose nothing. */
  get isLevel(): boolean {
    return this.#state === "level";
  }

  /** True while a crash would lose what the log holds, for longer than a moment. */
  get isFailing(): boolean {
    return this.#hasTold;
  }

  /** The log gave a number away. Cheap, but for the first after the files were level. */
  advanced(): void {
    if (this.#state !== "level") return;
    this.#state = "behind";
    this.#progressMs = this.#options.clock.monotonicMs();
    this.#distrust();
    // A cycle under way looks at its end.
    if (this.#running === null) this.#runAfter(GATHER_MS);
  }

  /** To be called every second or so: what the log let go leaves the disk in quiet times too. */
  look(): void {
    if (this.#state === "level" && this.#hasRemovable()) this.#run();
    const stalledMs = this.#options.clock.monotonicMs() - this.#progressMs;
    if (this.#state === "behind" && stalledMs > STALLED_MS)
      this.#tell(
        new LogError("log_stalled", `the log's disk has taken nothing for ${Math.round(stalledMs / 1000)} s`),
      );
  }

  /**
   * The orderly end: writes what is missing, and what a life needs to know that goes on from here. Nothing is published
   * any more. A disk that fails, or takes too long, leaves files that say so.
   */
  async close(closing: () => LogClosing): Promise<void> {
    if (this.#state === "closed") return;
    const { clock } = this.#options;
    const deadline = Promise.withResolvers<never>();
    using _timer = clock.after(CLOSE_MS_MAX, () =>
      deadline.reject(new LogError("log_stalled", "the log could not be written in time at the end")),
    );
    this.#timer?.cancel();
    const finishing = this.#finish(this.#running, closing);
    this.#running = finishing.catch(() => {});
    try {
      await Promise.race([finishing, deadline.promise]);
    } catch (error) {
      this.#tell(errorOf(error));
    } finally {
      this.#stop();
    }
  }

  /** The end without order: what is not written yet is lost, and the mark says so. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#state === "closed") return;
    this.#stop();
    await this.#running;
  }

  async #finish(cycle: Promise<void> | null, closing: () => LogClosing): Promise<void> {
    const { disk, log } = this.#options;
    await cycle;
    if (this.#state === "failing") await this.#beginAnew();
    do {
      while (this.#position < log.head) await this.#writeSome();
      this.#assertOpen();
      await disk.sync(this.#file as number);
      this.#assertOpen();
    } while (this.#position < log.head);
    // Nothing is awaited from here on, so that nothing comes between.
    disk.write(CLOSING_FILE, encodeClosing(closing()));
    this.#mark("closed", true);
    this.#state = "closed";
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#state = "closed";
    // Not under a write that is under way: its descriptor's number may be another file's by then.
    if (this.#running === null) this.#closeFile();
    else void this.#running.then(() => this.#closeFile());
  }

  /** One timer at a time. */
  #runAfter(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(delayMs, () => this.#run());
  }

  /** One cycle at a time. */
  #run(): void {
    if (this.#running !== null) return;
    const running = this.#cycle()
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        // Else the orderly end has taken over.
        if (this.#running !== running) return;
        this.#running = null;
        if (this.#state === "behind") this.#runAfter(GATHER_MS);
        if (this.#state === "failing") this.#runAfter(RETRY_MS);
      });
    this.#running = running;
  }

  /** Writes what is missing now. What comes meanwhile is gathered for the next time. */
  async #cycle(): Promise<void> {
    const { log } = this.#options;
    if (this.#state !== "level") this.#distrust();
    if (this.#state === "failing") await this.#beginAnew();
    for (const head = log.head; this.#position < head; ) await this.#writeSome();
    if (this.#hasRemovable()) await this.#removeOld();
    this.#assertOpen();
    if (this.#position < log.head) return;
    this.#mark("level", false);
    this.#state = "level";
    if (!this.#hasTold) return;
    this.#hasTold = false;
    this.#options.told.recovered();
  }

  async #writeSome(): Promise<void> {
    const { disk, log, clock } = this.#options;
    // Let go before it was written: the files begin after it.
    if (log.evictedThrough > this.#position) await this.#turn(log.evictedThrough);
    this.#batch.clear();
    let sequence = this.#position;
    let lastEvent = 0;
    while (sequence < log.head && this.#batch.length < BATCH_BYTES) {
      const event = log.eventAt(++sequence);
      if (event === null) continue;
      this.#batch.addEvent(event);
      lastEvent = sequence;
    }
    if (this.#batch.length > 0) {
      await disk.append(this.#file as number, this.#batch.bytes);
      this.#assertOpen();
      const segment = this.#segments.at(-1) as Segment;
      segment.bytes += this.#batch.length;
      segment.lastEvent = lastEvent;
      this.#progressMs = clock.monotonicMs();
      if (segment.bytes >= this.#segmentBytes) await this.#turn(lastEvent);
    }
    this.#position = Math.max(this.#position, sequence);
  }

  /** A new segment after a sequence; the last one is on the disk before. */
  async #turn(after: number): Promise<void> {
    const { disk } = this.#options;
    const file = this.#file as number;
    await disk.sync(file);
    this.#assertOpen();
    this.#closeFile();
    this.#begin(after);
    this.#position = Math.max(this.#position, after);
  }

  #begin(after: number): void {
    const name = segmentName(after);
    const last = this.#segments.at(-1);
    // One without events, which the new one replaces.
    if (last?.name === name) this.#segments.pop();
    this.#file = this.#options.disk.create(name, encodeSegmentHead(after));
    this.#segments.push({ name, after, lastEvent: after, bytes: SEGMENT_HEAD_BYTES });
  }

  /** After a failure: nothing of what is there counts, and the log is written from its beginning. */
  async #beginAnew(): Promise<void> {
    const { disk, log } = this.#options;
    for (const { name } of disk.segments()) {
      await disk.remove(name);
      this.#assertOpen();
    }
    this.#segments = [];
    this.#position = log.evictedThrough;
    this.#begin(log.evictedThrough);
    this.#mark("behind", false);
    this.#state = "behind";
  }

  #hasRemovable(): boolean {
    const oldest = this.#segments[0];
    if (oldest === undefined || oldest.lastEvent > this.#options.log.evictedThrough) return false;
    return this.#segments.length > 1 || oldest.bytes > SEGMENT_HEAD_BYTES;
  }

  async #removeOld(): Promise<void> {
    const { disk, log } = this.#options;
    const last = this.#segments.at(-1) as Segment;
    if (last.lastEvent <= log.evictedThrough && last.bytes > SEGMENT_HEAD_BYTES)
      await this.#turn(log.evictedThrough);
    while (this.#segments.length > 1 && (this.#segments[0] as Segment).lastEvent <= log.evictedThrough) {
      await disk.remove((this.#segments[0] as Segment).name);
      this.#assertOpen();
      this.#segments.shift();
    }
  }

  get #segmentBytes(): number {
    return Math.min(Math.max(this.#options.bytesMax() / 16, 64 * 1024), 16 * 1024 * 1024);
  }

  #mark(state: LogMark["state"], isDurable: boolean): void {
    const { disk, epoch, bootId, log } = this.#options;
    const lastEvent = this.#segments.at(-1)?.lastEvent ?? 0;
    if (state !== "behind") this.#saysLevel = true;
    disk.mark(encodeMark({ state, epoch, bootId, head: log.head, lastEvent }), isDurable);
    if (state === "behind") this.#saysLevel = false;
  }

  /** Where the mark can be neither written nor removed, the next cycle tries again. */
  #distrust(): void {
    if (!this.#saysLevel) return;
    try {
      this.#mark("behind", false);
    } catch (error) {
      this.#tell(errorOf(error));
    }
  }

  #fail(error: unknown): void {
    if (this.#state === "closed") return;
    this.#state = "failing";
    this.#tell(errorOf(error));
    // The files may have been level until now, and events are given out while they fail.
    this.#distrust();
    this.#closeFile();
  }

  /** After each wait: once the end has come, the directory may be another process's. */
  #assertOpen(): void {
    if (this.#state === "closed")
      throw new LogError("log_stalled", "the log was closed before it was written");
  }

  #tell(error: LogError): void {
    if (this.#hasTold) return;
    this.#hasTold = true;
    this.#options.told.failed(error);
  }

  #closeFile(): void {
    const file = this.#file;
    this.#file = null;
    if (file === null) return;
    try {
      this.#options.disk.close(file);
    } catch (error) {
      this.#tell(errorOf(error));
    }
  }
}

function errorOf(error: unknown): LogError {
  if (error instanceof LogError) return error;
  return new LogError("log_write_failed", `the log can't be written to its disk: ${messageOf(error)}`, {
    cause: error,
  });
}
