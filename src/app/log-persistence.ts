import { randomBytes } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { Logger } from "#base/logger.ts";
import type { Hub } from "#hub/hub.ts";
import type { ErrorJournal } from "#ops/error-journal.ts";
import { bootIdOfMachine, type LogDisk, openLogDisk } from "#storage/log-disk.ts";
import { LogError } from "#storage/log-error.ts";
import { LogFollower } from "#storage/log-follower.ts";
import { type Recovery, type RecoveryKind, recover } from "#storage/log-recovery.ts";
import type { LinkCursors } from "./cursors-across-lives.ts";

export interface LogPersistenceContext {
  readonly clock: Clock;
  readonly log: Logger;
  readonly journal: ErrorJournal;
  /** `log.bytesMax`; asked at each use. */
  readonly bytesMax: () => number;
}

/**
 * The hub's log across restarts (`log.persist`): reads what the life before has left, gives it to the hub, keeps the files
 * up to date, and closes them in order. It is opened before the hub, and closed after everything that publishes.
 */
export class LogPersistence implements AsyncDisposable {
  /** The hub is to have it: the life before's, where all of its cursors are still good, else a new one. */
  readonly epoch: string;
  /** How the life before ended. */
  readonly before: RecoveryKind;
  /** Where upstream stood at the orderly end of the life before; null: there was none. */
  readonly cursorsBefore: LinkCursors | null;
  readonly #disk: LogDisk;
  readonly #context: LogPersistenceContext;
  #recovery: Recovery | null;
  #running: { readonly hub: Hub; readonly follower: LogFollower } | null = null;
  /** Before anybody says otherwise, upstream stands where it did. */
  #cursors: () => LinkCursors = () => this.cursorsBefore ?? new Map();

  private constructor(disk: LogDisk, recovery: Recovery, context: LogPersistenceContext) {
    this.#disk = disk;
    this.#recovery = recovery;
    this.#context = context;
    this.epoch = recovery.epoch ?? newEpoch();
    this.before = recovery.kind;
    this.cursorsBefore = recovery.closing?.cursors ?? null;
  }

  /**
   * Takes the directory, which must be no other gateway's, and reads it.
   *
   * @throws LogError
   */
  static async open(directory: string, context: LogPersistenceContext): Promise<LogPersistence> {
    const disk = await openLogDisk(directory, context.clock);
    try {
      return new LogPersistence(disk, await recover(disk, bootIdOfMachine()), context);
    } catch (error) {
      disk[Symbol.dispose]();
      throw LogError.ofDirectory(directory, error);
    }
  }

  /** Gives the hub what was recovered, before anybody uses it, and follows it from then on. @throws LogError */
  async attach(hub: Hub): Promise<void> {
    const { clock, bytesMax } = this.#context;
    const { kind, memory, events, segments, closing, droppedBytes } = this.#recovery as Recovery;
    this.#recovery = null;
    if (kind !== "none") hub.restore(memory, events, closing?.states);
    if (kind === "broken") hub.distrust();
    this.#tellRecovered(kind, hub, droppedBytes);
    const follower: LogFollower = new LogFollower({
      disk: this.#disk,
      log: hub.follow(() => follower.advanced()),
      epoch: this.epoch,
      bootId: bootIdOfMachine(),
      clock,
      bytesMax,
      told: { failed: (error) => this.#tellFailed(error), recovered: () => this.#tellMended() },
    });
    await follower.open(segments);
    this.#running = { hub, follower };
  }

  /** Where upstream stands is asked at the orderly end. */
  closesWith(cursors: () => LinkCursors): void {
    this.#cursors = cursors;
  }

  /** To be called every second. */
  look(): void {
    this.#running?.follower.look();
  }

  /** For metrics: bytes in files, and sequence numbers that are not in them yet. */
  stats(): { readonly bytes: number; readonly behind: number } {
    const follower = this.#running?.follower;
    return { bytes: follower?.bytes ?? 0, behind: follower?.behind ?? 0 };
  }

  /** True while a crash would lose what the log holds, for longer than a moment. */
  get isFailing(): boolean {
    return this.#running?.follower.isFailing ?? false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const running = this.#running;
    this.#running = null;
    if (running !== null) {
      const { hub, follower } = running;
      await follower.close(() => ({ memory: hub.memory(), states: hub.states(), cursors: this.#cursors() }));
    }
    this.#disk[Symbol.dispose]();
  }

  #tellRecovered(kind: RecoveryKind, hub: Hub, droppedBytes: number): void {
    const { log } = this.#context;
    const { logEvents: events, topicsWithState: states } = hub.stats();
    const fields = { before: kind, events, states };
    if (kind === "broken")
      log.warn(
        { ...fields, droppedBytes },
        "the life before did not end in order: clients will be told that events may be missing",
      );
    else log.info(fields, "log recovered");
  }

  #tellFailed(error: LogError): void {
    this.#context.journal.record("storage", error, "the log is not written to disk: it goes on in memory");
  }

  #tellMended(): void {
    this.#context.log.info({}, "the log is written to disk again, all of it");
  }
}

/** Names a life of the log. */
export function newEpoch(): string {
  return randomBytes(6).toString("base64url");
}
