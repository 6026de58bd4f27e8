import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { codeOf, messageOf } from "#base/errors.ts";
import type { Config } from "./config.ts";
import type { Environment } from "./environment.ts";
import { ConfigError, type ConfigErrorCode } from "./fault.ts";
import { resolveConfig } from "./resolve.ts";
import type { FileConfig } from "./schema.ts";
import { validate } from "./validate.ts";
import type { EnvironmentValue } from "./yaml-file.ts";

/** Where a configuration is looked for when none is named, in the working directory. */
export const DEFAULT_FILE = "streamkeeper.yaml";

/** Largest configuration file, in bytes. */
export const FILE_BYTES_MAX = 2 ** 20;

export interface LoadedConfig {
  readonly config: Config;
  /** In the file's own shape, defaults put in; durations in ms, sizes in bytes. For `config print`. */
  readonly inForce: FileConfig;
  /** As it was given or found; null: there is no file, and all is by default. */
  readonly file: string | null;
  /** The values that hold an environment variable, and so may be secret. */
  readonly fromEnvironment: readonly EnvironmentValue[];
}

/**
 * The configuration of `file`; without one, of `streamkeeper.yaml` in the working directory if it is there, else the
 * defaults. Relative paths in it are taken from its own directory.
 *
 * @throws ConfigError with every fault of the file
 */
export function loadConfig(file?: string, environment: Environment = process.env): Config {
  return loadConfigFile(file, environment).config;
}

/** As `loadConfig`, with where it comes from. */
export function loadConfigFile(file?: string, environment: Environment = process.env): LoadedConfig {
  try {
    return parseConfig(readBounded(file ?? DEFAULT_FILE), file ?? DEFAULT_FILE, environment);
  } catch (thrown) {
    const absent = file === undefined && thrown instanceof ConfigError && thrown.code === "config_missing";
    if (absent) return parseConfig("", null, environment);
    throw thrown;
  }
}

/** The configuration that `text` is; `file` names it in faults, and its directory is where relative paths start. */
export function parseConfig(
  text: string,
  file: string | null,
  environment: Environment = process.env,
): LoadedConfig {
  const { config, faults, fromEnvironment } = validate(text, environment);
  if (config === null) throw new ConfigError("config_invalid", file, faults);
  const directory = file === null ? process.cwd() : dirname(resolve(file));
  return { config: resolveConfig(config, directory), inForce: config, file, fromEnvironment };
}

function readBounded(file: string): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, "r");
  } catch (thrown) {
    throw unreadable(file, thrown);
  }
  try {
    if (fstatSync(descriptor).isDirectory())
      throw failure("config_unreadable", file, "a file", "a directory");
    // Read up to the bound and not by the file's size, which pipes and /proc do not tell.
    const buffer = Buffer.alloc(FILE_BYTES_MAX + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length < buffer.length; length += count) {
      count = readSync(descriptor, buffer, length, buffer.length - length, null);
    }
    if (length > FILE_BYTES_MAX)
      throw failure("config_too_large", file, "a file of at most 1MiB", "a larger one");
    return decode(buffer.subarray(0, length), file);
  } catch (thrown) {
    throw thrown instanceof ConfigError ? thrown : unreadable(file, thrown);
  } finally {
    closeSync(descriptor);
  }
}

function decode(bytes: Buffer, file: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (thrown) {
    throw failure("config_invalid", file, "text in UTF-8", "other bytes", thrown);
  }
}

function unreadable(file: string, thrown: unknown): ConfigError {
  if (codeOf(thrown) === "ENOENT")
    return failure("config_missing", file, "this file to exist", "no such file", thrown);
  if (codeOf(thrown) === "EACCES") {
    return failure("config_unreadable", file, "a file that this user may read", "permission denied", thrown);
  }
  return failure("config_unreadable", file, "a readable file", messageOf(thrown), thrown);
}

function failure(
  code: ConfigErrorCode,
  file: string,
  expected: string,
  found: string,
  cause?: unknown,
): ConfigError {
  const fault = { path: "", line: null, column: null, expected, found };
  return new ConfigError(code, file, [fault], cause === undefined ? undefined : { cause });
}
