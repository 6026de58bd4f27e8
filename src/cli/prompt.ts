import type { Readable, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { ReadStream } from "node:tty";
import { CodedError } from "#base/errors.ts";

export type PromptErrorCode = "no_password" | "passwords_differ" | "input_too_long" | "interrupted";

/** No password could be had. The message says how to give one. */
export class PromptError extends CodedError<PromptErrorCode> {}

export interface PasswordSource {
  /** `--password-stdin`: all of standard input, less one line end. */
  readonly stdin: boolean;
  /** What is asked for on a terminal; default `Password`. */
  readonly label?: string;
  /** Ask twice on a terminal, for a new password. Default false. */
  readonly confirm?: boolean;
}

/** Where passwords may come from; tests hand in their own. */
export interface PromptStreams {
  readonly input: Readable & Partial<Pick<ReadStream, "isTTY" | "setRawMode">>;
  readonly output: Writable;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const INPUT_BYTES_MAX = 4096;

/**
 * A password: from standard input where asked, else from `STREAMKEEPER_PASSWORD`, else from the terminal, unseen.
 * Never from an argument, which every user of the machine could read.
 *
 * @throws PromptError
 */
export async function readPassword(
  source: PasswordSource,
  streams: PromptStreams = processStreams(),
): Promise<string> {
  if (source.stdin) return nonEmpty(await readAll(streams.input));
  const fromEnvironment = streams.environment.STREAMKEEPER_PASSWORD;
  if (fromEnvironment !== undefined && fromEnvironment !== "") return fromEnvironment;
  if (streams.input.isTTY !== true || streams.input.setRawMode === undefined) throw noPassword();
  const label = source.label ?? "Password";
  const password = nonEmpty(await ask(`${label}: `, streams));
  if (source.confirm === true && (await ask(`${label} again: `, streams)) !== password) {
    throw new PromptError("passwords_differ", "the two passwords differ: try again");
  }
  return password;
}

/** What a line typed unseen has come to: raw keys in, the line out. Pure. Exported for tests. */
export class HiddenLine {
  readonly #characters: string[] = [];

  /** Takes what was typed: the line once it is ended, with what came after it; "interrupted" for Ctrl-C; null to go on. */
  feed(typed: string): { line: string; rest: string } | "interrupted" | null {
    let at = 0;
    for (const character of typed) {
      at += character.length;
      if (character === "\r" || character === "\n" || character === CTRL_D)
        return { line: this.#characters.join(""), rest: typed.slice(at) };
      if (character === CTRL_C) return "interrupted";
      if (character === BACKSPACE || character === DELETE) this.#characters.pop();
      else if (character === CTRL_U) this.#characters.length = 0;
      else if (character >= " " && this.#characters.length < INPUT_BYTES_MAX)
        this.#characters.push(character);
    }
    return null;
  }
}

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const BACKSPACE = "\b";
const DELETE = "\x7f";
const CTRL_U = "\x15";

function ask(question: string, { input, output }: PromptStreams): Promise<string> {
  return new Promise((resolve, reject) => {
    const line = new HiddenLine();
    // Pasted text may be cut within a character.
    const decoder = new StringDecoder("utf8");
    const settle = (run: () => void): void => {
      input.off("data", onData).off("end", onEnd).off("error", onError);
      input.setRawMode?.(false);
      input.pause();
      output.write("\n");
      run();
    };
    const onData = (chunk: Buffer | string): void => {
      const fed = line.feed(typeof chunk === "string" ? chunk : decoder.write(chunk));
      if (fed === "interrupted") settle(() => reject(new PromptError("interrupted", "interrupted")));
      else if (fed !== null) {
        settle(() => {
          if (fed.rest !== "") input.unshift(Buffer.from(fed.rest));
          resolve(fed.line);
        });
      }
    };
    const onEnd = (): void => settle(() => reject(noPassword()));
    const onError = (error: Error): void => settle(() => reject(error));
    output.write(question);
    input.setRawMode?.(true);
    input.on("data", onData).on("end", onEnd).on("error", onError);
    input.resume();
  });
}

async function readAll(input: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    const read = Buffer.from(chunk);
    bytes += read.length;
    if (bytes > INPUT_BYTES_MAX) {
      throw new PromptError(
        "input_too_long",
        `standard input holds more than a password of ${INPUT_BYTES_MAX} bytes`,
      );
    }
    chunks.push(read);
  }
  return Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
}

function nonEmpty(password: string): string {
  if (password === "") throw noPassword();
  return password;
}

function noPassword(): PromptError {
  return new PromptError(
    "no_password",
    "no password was given: type it on a terminal, pipe it in with --password-stdin, or set STREAMKEEPER_PASSWORD",
  );
}

function processStreams(): PromptStreams {
  return { input: process.stdin, output: process.stderr, environment: process.env };
}
