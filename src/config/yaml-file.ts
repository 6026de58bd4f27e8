import {
  type Alias,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  type ParsedNode,
  parseDocument,
  Scalar,
} from "yaml";
import { messageOf } from "#base/errors.ts";
import { type Environment, substitute } from "./environment.ts";
import { type ConfigFault, formatPath, type Path, quote } from "./fault.ts";

/** Most values in one file, aliases written out. It stops alias bombs; a real file has some hundreds. */
const VALUES_MAX = 50_000;

/** Deepest nesting. It stops aliases to themselves; a real file has five levels. */
const DEPTH_MAX = 24;

const MALFORMED =
  "$" + "{NAME} with the name of an environment variable (the text $" + "{ itself is written $$" + "{)";

/** The library's words for these speak to programmers. */
const SYNTAX: Readonly<Record<string, string>> = { MULTIPLE_DOCS: "a second document" };

/** A YAML document as plain values, and where each of them stands. */
export interface YamlFile {
  readonly value: unknown;
  /** Syntax faults, duplicate keys, missing variables. Paths that they concern are in `faulty`. */
  readonly faults: readonly ConfigFault[];
  readonly faulty: readonly Path[];
  /** The values that hold an environment variable, as they are written. */
  readonly fromEnvironment: readonly EnvironmentValue[];
  /** False where the text is not YAML at all, so that nothing can be said of its content. */
  readonly readable: boolean;
  /** Place of a value, or of its key; where it does not exist, of its nearest parent that does. */
  placeOf(path: Path, part: "key" | "value"): Place;
  /** A value as it is written, for values that hold an environment variable; else undefined. */
  sourceOf(path: Path): string | undefined;
}

/** A value with `${NAME}` in it, and so perhaps a secret. */
export interface EnvironmentValue {
  readonly path: Path;
  /** As it is written in the file. */
  readonly source: string;
}

export interface Place {
  readonly line: number | null;
  readonly column: number | null;
}

interface Seen {
  readonly keyAt: number | null;
  readonly valueAt: number | null;
  readonly source?: string;
}

/** Reads one document of YAML 1.2 (core schema), with `${NAME}` taken from the environment. Never throws. */
export function readYaml(text: string, environment: Environment): YamlFile {
  const reader = new Reader(environment);
  const value = reader.read(text);
  return {
    value,
    faults: reader.faults,
    faulty: reader.faulty,
    fromEnvironment: reader.fromEnvironment,
    readable: reader.readable,
    placeOf: (path, part) => reader.placeOf(path, part),
    sourceOf: (path) => reader.seen.get(id(path))?.source,
  };
}

class Reader {
  readonly faults: ConfigFault[] = [];
  readonly faulty: Path[] = [];
  readonly fromEnvironment: EnvironmentValue[] = [];
  readonly seen = new Map<string, Seen>();
  readable = true;
  readonly #environment: Environment;
  readonly #lines = new LineCounter();
  #anchors = new Map<string, ParsedNode>();
  #values = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  read(text: string): unknown {
    const document = parseDocument(text, {
      lineCounter: this.#lines,
      prettyErrors: false,
      stringKeys: true,
      uniqueKeys: false,
      version: "1.2",
    });
    for (const error of [...document.errors, ...document.warnings]) {
      this.#fault([], error.pos[0], "well-formed YAML", SYNTAX[error.code] ?? messageOf(error));
      this.readable = false;
    }
    if (!this.readable || document.contents === null) return undefined;
    try {
      return this.#read(document.contents, [], null);
    } catch (thrown) {
      if (!(thrown instanceof TooMuch)) throw thrown;
      this.readable = false;
      this.#fault([], thrown.at, thrown.expected, "more, aliases written out");
      return undefined;
    }
  }

  placeOf(path: Path, part: "key" | "value"): Place {
    const seen = this.seen.get(id(path));
    const at = part === "key" ? (seen?.keyAt ?? seen?.valueAt) : seen?.valueAt;
    if (at !== null && at !== undefined) return this.#place(at);
    return path.length === 0 ? { line: null, column: null } : this.placeOf(path.slice(0, -1), "key");
  }

  #read(node: Node, path: Path, keyAt: number | null): unknown {
    const valueAt = node.range?.[0] ?? null;
    this.#values++;
    if (this.#values > VALUES_MAX) throw new TooMuch(`at most ${VALUES_MAX} values`, valueAt ?? 0);
    if (path.length > DEPTH_MAX) throw new TooMuch(`at most ${DEPTH_MAX} levels`, valueAt ?? 0);
    this.seen.set(id(path), { keyAt, valueAt: valueAt ?? keyAt });
    if (isAlias(node)) return this.#alias(node, path, keyAt);
    if ("anchor" in node && typeof node.anchor === "string")
      this.#anchors.set(node.anchor, node as ParsedNode);
    if (isMap(node)) return this.#mapping(node.items, path);
    if (isSeq(node)) return node.items.map((item, index) => this.#read(item as Node, [...path, index], null));
    return isScalar(node) ? this.#scalar(node, path, keyAt) : undefined;
  }

  #alias(node: Alias, path: Path, keyAt: number | null): unknown {
    const target = this.#anchors.get(node.source);
    if (target === undefined) {
      this.#fault(
        path,
        node.range?.[0] ?? 0,
        "an alias of an anchor that stands before it",
        quote(`*${node.source}`),
      );
      return undefined;
    }
    return this.#read(target, path, keyAt);
  }

  #mapping(items: readonly { key: unknown; value: unknown }[], path: Path): Record<string, unknown> {
    const mapping: Record<string, unknown> = {};
    for (const item of items) {
      const key = isScalar(item.key) ? item.key : null;
      const name = key === null ? null : String(key.value ?? "");
      const at = key?.range?.[0] ?? 0;
      if (name === null || name === "__proto__") {
        this.#fault(path, at, "keys that are plain words", quote(String(name ?? "a collection as key")));
        continue;
      }
      if (Object.hasOwn(mapping, name)) {
        const first = this.placeOf([...path, name], "key");
        this.#fault(
          [...path, name],
          at,
          "each key once",
          `a second ${quote(name)} (the first is on line ${first.line})`,
        );
        continue;
      }
      const value = item.value === null ? null : this.#read(item.value as Node, [...path, name], at);
      // A key with nothing behind it, as when all below it is commented out, is as good as absent. `null` is null.
      const absent =
        item.value === null ||
        (isScalar(item.value) && item.value.value === null && item.value.source === "");
      mapping[name] = absent ? undefined : value;
    }
    return mapping;
  }

  #scalar(node: Scalar, path: Path, keyAt: number | null): unknown {
    if (typeof node.value !== "string") return node.value;
    const result = substitute(node.value, this.#environment);
    if (result.kind === "text") {
      if (result.names.length === 0) return result.text;
      this.fromEnvironment.push({ path, source: node.value });
      this.seen.set(id(path), { keyAt, valueAt: node.range?.[0] ?? keyAt, source: node.value });
      return node.type === Scalar.PLAIN ? plainValue(result.text) : result.text;
    }
    const at = node.range?.[0] ?? 0;
    this.faulty.push(path);
    if (result.kind === "malformed") {
      this.#fault(path, at, MALFORMED, quote(node.value));
    } else {
      for (const name of result.names) {
        const found = this.#environment[name] === "" ? "it empty" : "it unset";
        this.#fault(path, at, `environment variable ${name} to be set`, found);
      }
    }
    return undefined;
  }

  #fault(path: Path, at: number, expected: string, found: string): void {
    this.faults.push({ path: formatPath(path), ...this.#place(at), expected, found });
  }

  #place(at: number): Place {
    const { line, col } = this.#lines.linePos(at);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

class TooMuch extends Error {
  readonly expected: string;
  readonly at: number;

  constructor(expected: string, at: number) {
    super(expected);
    this.expected = expected;
    this.at = at;
  }
}

/** `port: ${PORT}` without quotes is a number when the variable holds one, as if it stood there itself. */
function plainValue(text: string): unknown {
  if (/^-?(0|[1-9]\d{0,15})(\.\d+)?$/.test(text)) return Number(text);
  return text === "true" ? true : text === "false" ? false : text;
}

function id(path: Path): string {
  return JSON.stringify(path);
}
