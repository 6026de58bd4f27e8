import type { Clock } from "#base/clock.ts";
import { Tally } from "#base/counters.ts";
import { codeOf, messageOf } from "#base/errors.ts";
import type { Logger } from "#base/logger.ts";
import type { ErrorGroups } from "./error-groups.ts";
import { FoldingLogger } from "./log-folding.ts";

/** Pairs of room and code that are told apart; a system's codes are few, but an unknown library's need not be. */
const PAIRS_MAX = 256;
const CODE = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;

/** Counts the errors that rooms meet, by room and code, and logs them at a bounded rate. */
export class ErrorJournal implements Disposable {
  /** By `room:code`, for the metric `errors_total`. Codes beyond a bound of distinct ones count as `other`. */
  readonly counts = new Tally();
  readonly #lines: FoldingLogger;
  readonly #clock: Clock;
  readonly #groups: ErrorGroups | null;
  #pairs = 0;

  /** @param groups where each error is noted as well; null: nowhere */
  constructor(logger: Logger, clock: Clock, groups: ErrorGroups | null = null) {
    this.#lines = new FoldingLogger(logger, clock);
    this.#clock = clock;
    this.#groups = groups;
  }

  /**
   * @param room where it was met
   * @param thrown anything; its `code` is counted, `uncoded` without one
   * @param context what was being done: a constant text, since repeats of it are folded
   */
  record(room: string, thrown: unknown, context: string, fields: object = {}): void {
    const code = this.#countableCode(room, codeOf(thrown));
    this.counts.add(`${room}:${code}`);
    const sample = `${context}: ${messageOf(thrown)}`;
    this.#groups?.add({ kind: "error", room, code, peer: "", sample }, this.#clock.nowMs());
    this.#lines.error({ ...fields, room, code, reason: messageOf(thrown) }, context);
  }

  /** Writes the counts of folded lines. Idempotent. */
  [Symbol.dispose](): void {
    this.#lines[Symbol.dispose]();
  }

  #countableCode(room: string, code: string | undefined): string {
    const known = code !== undefined && CODE.test(code) ? code : "uncoded";
    if (this.counts.of(`${room}:${known}`) > 0) return known;
    if (this.#pairs >= PAIRS_MAX) return "other";
    this.#pairs++;
    return known;
  }
}
