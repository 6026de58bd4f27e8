import { CodedError } from "#base/errors.ts";

/** Where a value stands in the file: keys of mappings and indices of lists, from the root. */
export type Path = readonly (string | number)[];

/** One thing that is wrong with a configuration. */
export interface ConfigFault {
  /** Such as `feeds.quotes.retry.min` or `auth.trustedIssuers[0].issuer`; "" for the file as a whole. */
  readonly path: string;
  /** From 1; null where the fault has no place in the file. */
  readonly line: number | null;
  /** From 1, in characters; null where the fault has no place in the file. */
  readonly column: number | null;
  /** What was expected, in words. */
  readonly expected: string;
  /** What was found instead, in words, shortened, never a secret. */
  readonly found: string;
}

export type ConfigErrorCode = "config_missing" | "config_unreadable" | "config_too_large" | "config_invalid";

/** What each code means, for the documentation; messages name the file, and every fault. */
export const CONFIG_ERRORS: Readonly<Record<ConfigErrorCode, string>> = {
  config_missing: "the configuration file that was named does not exist",
  config_unreadable: "the configuration file may not be read by this user, or is no file",
  config_too_large: "the configuration file is larger than 1 MiB",
  config_invalid:
    "the configuration has faults; each is told with its path, line, what was expected and what was found",
};

/** A configuration that cannot be used, with everything that is wrong with it. */
export class ConfigError extends CodedError<ConfigErrorCode> {
  /** As it was given; null where there is no file. */
  readonly file: string | null;
  readonly faults: readonly ConfigFault[];

  constructor(
    code: ConfigErrorCode,
    file: string | null,
    faults: readonly ConfigFault[],
    options?: ErrorOptions,
  ) {
    super(code, faults.map((fault) => formatFault(file, fault)).join("\n"), options);
    this.file = file;
    this.faults = faults;
  }
}

/** `streamkeeper.yaml:12:5 feeds.quotes.retry.min: expected a duration such as 250ms, found "fast"`. */
function formatFault(file: string | null, fault: ConfigFault): string {
  const place = [file ?? "configuration", fault.line, fault.column].filter((part) => part !== null).join(":");
  return `${place}${fault.path === "" ? "" : ` ${fault.path}`}: expected ${fault.expected}, found ${fault.found}`;
}

/** The path as people read it; keys that are not plain words are quoted. */
export function formatPath(path: Path): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === "number") return `${text}[${part}]`;
    if (!/^[A-Za-z_][\w-]*$/.test(part)) return `${text}[${quote(part)}]`;
    return text === "" ? part : `${text}.${part}`;
  }, "");
}

/** What was found, in words: text quoted and shortened, collections by their kind. */
export function describeFound(found: unknown): string {
  if (found === undefined) return "nothing";
  if (found === null) return "null";
  if (typeof found === "string") return quote(found);
  if (Array.isArray(found)) return found.length === 0 ? "an empty list" : "a list";
  return typeof found === "object" ? "a mapping" : String(found);
}

/** Quoted, on one line, at most 60 characters of it. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text);
}
