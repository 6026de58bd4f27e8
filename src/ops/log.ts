/**
 * Room `ops`: what lets an operator see the gateway: log lines, metrics, the error journal, health. It reads other
 * rooms only through the views in `views.ts`, and imports nothing of the project but `base`.
 */
import { pino } from "pino";
import type { Logger } from "#base/logger.ts";
import { lineOf } from "./log-line.ts";

export const LogLevel = {
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
  silent: "silent",
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

export interface LogOptions {
  /** Least serious level that is written. Default: `STREAMKEEPER_LOG`, else `info`. */
  readonly level?: LogLevel;
  /** Written to whole lines at a time. Default: standard error, so that standard output stays a command's own. */
  readonly destination?: { write(line: string): unknown };
  /** Read for `STREAMKEEPER_LOG`. Default: the process's environment. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** The process's log. Whoever opened it calls `close` last. */
export interface Log extends Logger {
  readonly level: LogLevel;
  /** Lines dropped since the start because whatever reads standard error was too slow. */
  readonly linesDropped: number;
  /** Writes out what is buffered, waiting for it. Idempotent. */
  close(): void;
}

/**
 * Bytes of log lines kept for a reader of standard error that is slow. Above it lines are dropped and counted: a
 * stuck terminal or log collector must not stop the gateway or fill its memory.
 */
const BUFFER_BYTES_MAX = 1024 * 1024;
/** Lines that are gathered before they are handed over, in UTF-16 code units, and for how long, in milliseconds. */
const LINES_LENGTH_MAX = 32 * 1024;
const GATHER_MS = 50;

/**
 * Opens the log: one JSON object a line, `time` in milliseconds since the Unix epoch, `level` as a word, secrets taken
 * out of fields and messages.
 *
 * @throws RangeError for a level that does not exist, naming those that do
 */
export function openLog(options: LogOptions = {}): Log {
  const level = parseLogLevel(
    options.level ?? (options.env ?? process.env).STREAMKEEPER_LOG ?? LogLevel.info,
  );
  const output =
    options.destination === undefined ? new StandardError() : new GivenDestination(options.destination);
  const least = LEVELS.indexOf(level);
  const writer = (of: Exclude<LogLevel, "silent">) =>
    LEVELS.indexOf(of) < least
      ? () => {}
      : (fields: object, message: string) => void output.write(lineOf(of, Date.now(), fields, message));
  return {
    level,
    debug: writer("debug"),
    info: writer("info"),
    warn: writer("warn"),
    error: writer("error"),
    get linesDropped() {
      return output.linesDropped;
    },
    close: () => output.close(),
  };
}

/** From the least serious on. */
const LEVELS: readonly LogLevel[] = ["debug", "info", "warn", "error", "silent"];

/** @throws RangeError for a level that does not exist, naming those that do */
function parseLogLevel(text: string): LogLevel {
  const level = text.trim().toLowerCase();
  if (Object.hasOwn(LogLevel, level)) return level as LogLevel;
  throw new RangeError(
    `log level ${JSON.stringify(text)} does not exist: use one of ${Object.keys(LogLevel).join(", ")}`,
  );
}

interface Output {
  readonly linesDropped: number;
  write(line: string): unknown;
  close(): void;
}

class GivenDestination implements Output {
  readonly linesDropped = 0;
  readonly #destination: { write(line: string): unknown };

  constructor(destination: { write(line: string): unknown }) {
    this.#destination = destination;
  }

  write(line: string): unknown {
    return this.#destination.write(line);
  }

  close(): void {}
}

/**
 * Hands lines over at once while there are few, and many of them in one piece while there are many: each write by
 * itself costs several times what making the line did, and a storm of clients is a storm of lines.
 */
class StandardError implements Output {
  linesDropped = 0;
  // Asynchronous, since a full pipe would otherwise stop the event loop.
  readonly #stream = pino.destination({ fd: 2, sync: false, maxLength: BUFFER_BYTES_MAX });
  #lines = "";
  #handedOverMs = Number.NEGATIVE_INFINITY;
  /** What was handed over has not all been written yet. */
  #isWriting = false;
  #isClosed = false;
  readonly #onExit = () => this.#flush();

  constructor() {
    this.#stream.on("drop", (lines: string) => {
      this.linesDropped += lines.split("\n").length - 1;
    });
    this.#stream.on("drain", () => {
      this.#isWriting = false;
      if (this.#isClosed) process.removeListener("exit", this.#onExit);
    });
    process.once("exit", this.#onExit);
  }

  write(line: string): void {
    if (this.#lines === "") this.#arm();
    this.#lines += line;
    if (this.#lines.length > LINES_LENGTH_MAX) this.#handOver();
  }

  /** What is under way keeps the process alive until it is written. Written at once it would overtake what went before. */
  close(): void {
    this.#isClosed = true;
    this.#handOver();
    if (!this.#isWriting) process.removeListener("exit", this.#onExit);
  }

  #flush(): void {
    try {
      this.#handOver();
      this.#stream.flushSync();
    } catch {
      // Not open yet, or its reader is gone: nobody is left to tell.
    }
  }

  /** Whoever writes after a quiet time need not wait. */
  #arm(): void {
    const waitMs = this.#handedOverMs + GATHER_MS - performance.now();
    if (waitMs <= 0) setImmediate(() => this.#handOver());
    else setTimeout(() => this.#handOver(), waitMs).unref();
  }

  #handOver(): void {
    if (this.#lines === "") return;
    this.#handedOverMs = performance.now();
    const lines = this.#lines;
    this.#lines = "";
    this.#isWriting = true;
    this.#stream.write(lines);
  }
}
