import type { Clock, Timer } from "#base/clock.ts";
import { messageOf } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import { type ErrorGroupRecord, ErrorGroups } from "./error-groups.ts";

/** Where error groups outlive the process. Implemented in `storage`. */
export interface ErrorStore {
  /** The groups seen last, at most `limit`. */
  load(limit: number): Promise<readonly ErrorGroupRecord[]>;
  /** Puts these in the place of what was known of them. */
  saveAll(groups: readonly ErrorGroupRecord[]): Promise<void>;
  /** Forgets groups that were last seen before; answers how many. */
  prune(beforeMs: number): Promise<number>;
}

const SAVED_EVERY_MS = 10_000;
const LOADED_MAX = 1000;
const KEPT_MS = 30 * 86_400_000;

/** Keeps the error groups in the database: what has changed, every ten seconds and at the end. One save at a time. */
export class ErrorKeeper implements AsyncDisposable {
  readonly groups = new ErrorGroups();
  readonly #store: ErrorStore;
  readonly #clock: Clock;
  readonly #log: Logger;
  #timer: Timer | null = null;
  #saving: Promise<void> | null = null;
  #hasFailed = false;
  #isOver = false;

  private constructor(store: ErrorStore, clock: Clock, log: Logger) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
  }

  /** A database that can't be read is told of in the log, and the groups begin empty. */
  static async open(store: ErrorStore, { clock, log }: { clock: Clock; log: Logger }): Promise<ErrorKeeper> {
    const keeper = new ErrorKeeper(store, clock, log);
    try {
      await store.prune(clock.nowMs() - KEPT_MS);
      keeper.groups.restore(await store.load(LOADED_MAX));
    } catch (error) {
      log.warn({ reason: messageOf(error) }, "the errors of before could not be read");
    }
    keeper.#arm();
    return keeper;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#timer = null;
    await this.#saving;
    await this.#save();
  }

  #arm(): void {
    if (this.#isOver) return;
    this.#timer = this.#clock.after(SAVED_EVERY_MS, () => {
      this.#saving = this.#save().finally(() => {
        this.#saving = null;
        this.#arm();
      });
    });
  }

  async #save(): Promise<void> {
    const changed = this.groups.takeChanged();
    if (changed.length === 0) return;
    try {
      await this.#store.saveAll(changed);
      this.#hasFailed = false;
    } catch (error) {
      this.groups.giveBack(changed);
      if (!this.#hasFailed) this.#log.warn({ reason: messageOf(error) }, "errors could not be kept");
      this.#hasFailed = true;
    }
  }
}
