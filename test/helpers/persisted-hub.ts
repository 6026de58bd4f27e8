import { SystemClock } from "#base/system-clock.ts";
import { VirtualClock } from "#base/virtual-clock.ts";
import { Hub } from "#hub/hub.ts";
import type { LogDisk } from "#storage/log-disk.ts";
import { openLogDisk } from "#storage/log-disk.ts";
import type { LogError } from "#storage/log-error.ts";
import { GATHER_MS, LogFollower } from "#storage/log-follower.ts";
import { type Recovery, recover } from "#storage/log-recovery.ts";
import { until } from "./feed-server.ts";

export interface PersistedHubOptions {
  readonly bytesMax?: number;
  readonly ageMaxMs?: number;
  readonly bootId?: string | null;
  /** Puts something between the follower and the directory. */
  readonly through?: (disk: LogDisk) => LogDisk;
}

/** A hub and its log in a real directory, with time that stands still. */
export class PersistedHub implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly hub: Hub;
  readonly follower: LogFollower;
  readonly recovery: Recovery;
  readonly failures: LogError[] = [];
  recoveries = 0;
  readonly #disk: LogDisk;

  private constructor(disk: LogDisk, recovery: Recovery, options: PersistedHubOptions) {
    const { bytesMax = 1 << 20, ageMaxMs = 1e9, bootId = "boot" } = options;
    this.#disk = disk;
    this.recovery = recovery;
    const epoch = recovery.epoch ?? `e${++epochs}`;
    const nowMs = () => this.clock.nowMs();
    this.hub = new Hub({ epoch, log: { bytesMax, ageMaxMs }, stateBytesMax: 1 << 20, nowMs });
    this.follower = new LogFollower({
      disk: options.through?.(disk) ?? disk,
      log: this.hub.follow(() => this.follower.advanced()),
      epoch,
      bootId,
      clock: this.clock,
      bytesMax: () => bytesMax,
      told: { failed: (error) => this.failures.push(error), recovered: () => this.recoveries++ },
    });
  }

  /** @param on a directory, or what stands for one */
  static async open(on: string | LogDisk, options: PersistedHubOptions = {}): Promise<PersistedHub> {
    const disk = typeof on === "string" ? await openLogDisk(on, new SystemClock()) : on;
    const recovery = await recover(disk, options.bootId === undefined ? "boot" : options.bootId);
    const opened = new PersistedHub(disk, recovery, options);
    const { memory, events, closing, kind } = recovery;
    if (kind !== "none") opened.hub.restore(memory, events, closing?.states);
    await opened.follower.open(recovery.segments);
    return opened;
  }

  publish(topic: string, data = "{}"): void {
    this.hub.publish({ topics: [topic], data });
  }

  /** Has what was published written. */
  async written(): Promise<void> {
    await until("the files are level", () => {
      this.clock.advance(GATHER_MS);
      return this.follower.isLevel;
    });
  }

  /** The orderly end. */
  async close(cursors: ReadonlyMap<string, ReadonlyMap<string, string>> = new Map()): Promise<void> {
    const { hub } = this;
    await this.follower.close(() => ({ memory: hub.memory(), states: hub.states(), cursors }));
    this.#disk[Symbol.dispose]();
  }

  /** The end of a process that is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.follower[Symbol.asyncDispose]();
    this.#disk[Symbol.dispose]();
  }
}

let epochs = 0;
