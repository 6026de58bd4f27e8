import type { z } from "zod";
import type { Environment } from "./environment.ts";
import { type ConfigFault, describeFound, formatPath, type Path, quote } from "./fault.ts";
import { nameFaults } from "./names.ts";
import { relationFaults } from "./relations.ts";
import { type FileConfig, fileSchema } from "./schema.ts";
import { hideSecrets } from "./secrets.ts";
import { type EnvironmentValue, readYaml, type YamlFile } from "./yaml-file.ts";

/** Most faulty values and mappings that are told of. A file with more is not a configuration. */
const ISSUES_MAX = 1000;

export interface Validated {
  /** Null where there is any fault. */
  readonly config: FileConfig | null;
  /** In the order of the file. */
  readonly faults: readonly ConfigFault[];
  /** The values that hold an environment variable, and so may be secret. */
  readonly fromEnvironment: readonly EnvironmentValue[];
}

/**
 * Reads and checks a configuration's text, and answers everything that is wrong with it at once: syntax, keys and
 * values, then the relations between those values that are good by themselves. Pure.
 */
export function validate(text: string, environment: Environment): Validated {
  const file = readYaml(text, environment);
  const { fromEnvironment } = file;
  if (!file.readable) return { config: null, faults: inOrder(file.faults), fromEnvironment };

  const faults = [...file.faults];
  const faulty = [...file.faulty];
  const root = file.value ?? {};
  for (const { path, expected } of nameFaults(root)) {
    const found = quote(String(path.at(-1)));
    faults.push({ path: formatPath(path), ...file.placeOf(path, "key"), expected, found });
  }
  const parsed = fileSchema.safeParse(root);
  if (!parsed.success) {
    for (const issue of parsed.error.issues.slice(0, ISSUES_MAX)) {
      for (const { path, fault } of issueFaults(issue, root, file)) {
        if (!faulty.some((other) => concern(path, other))) faults.push(fault);
        faulty.push(path);
      }
    }
  }
  const config = parsed.success ? parsed.data : parseRest(root);
  for (const relation of config === null ? [] : relationFaults(config)) {
    if (relation.involved.some((path) => faulty.some((other) => concern(path, other)))) continue;
    const { path, expected } = relation;
    const found =
      relation.found ?? (valueAt(root, path) === undefined ? "its default" : foundAt(path, root, file));
    const place = file.placeOf(path, "value");
    faults.push({ path: formatPath(path), ...place, expected, found });
  }
  return { config: faults.length === 0 ? config : null, faults: inOrder(faults), fromEnvironment };
}

type Issue = z.core.$ZodIssue;

function issueFaults(issue: Issue, root: unknown, file: YamlFile): { path: Path; fault: ConfigFault }[] {
  const path = issue.path as Path;
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => {
      const full = [...path, key];
      const place = file.placeOf(full, "key");
      return {
        path: full,
        fault: { path: formatPath(full), ...place, expected: issue.message, found: quote(key) },
      };
    });
  }
  const found = foundAt(path, root, file);
  return [
    {
      path,
      fault: { path: formatPath(path), ...file.placeOf(path, "value"), expected: issue.message, found },
    },
  ];
}

/** What stands at `path`, in words. Of what came from the environment only its spelling in the file is told. */
function foundAt(path: Path, root: unknown, file: YamlFile): string {
  const source = file.sourceOf(path);
  if (source !== undefined) return `what ${quote(source)} stands for`;
  const found = valueAt(root, path);
  if (typeof found !== "string") return describeFound(found);
  const secret =
    path.at(-2) === "headers" || path[0] === "database" || path[0] === "cluster" || /:\/\/[^/]*@/.test(found);
  return secret ? "another text (not shown, as it may be secret)" : quote(hideSecrets(found, path));
}

/**
 * What is good of a file that has faults, so that relations can still be looked at: each faulty value is taken out,
 * and its default, or its parent's, comes in. Null when nothing is left to look at.
 */
function parseRest(root: unknown): FileConfig | null {
  let rest = structuredClone(root);
  // Each round takes at least one value out, and goes up a level where that is not enough.
  for (let round = 0; round < 16; round++) {
    const parsed = fileSchema.safeParse(rest);
    if (parsed.success) return parsed.data;
    const paths = parsed.error.issues.flatMap((issue) => {
      const path = issue.path as Path;
      return issue.code === "unrecognized_keys" ? issue.keys.map((key) => [...path, key]) : [path];
    });
    const distinct = new Map(paths.map((path) => [JSON.stringify(path), path]));
    for (const path of distinct.values()) rest = without(rest, path);
  }
  return null;
}

/**
 * Takes the value at `path` out; where it is what is missing, its parent; a list goes as a whole, to keep its indices
 * true. What went with its parent already is left.
 */
function without(root: unknown, path: Path): unknown {
  if (path.length === 0) return {};
  const parentPath = path.slice(0, -1);
  const parent = valueAt(root, parentPath);
  if (!isMapping(parent)) return root;
  const key = path.at(-1) as string | number;
  if (Array.isArray(parent) || !Object.hasOwn(parent, key)) return without(root, parentPath);
  delete parent[key];
  return root;
}

function valueAt(root: unknown, path: Path): unknown {
  let found = root;
  for (const part of path) {
    if (typeof found !== "object" || found === null || !Object.hasOwn(found, part)) return undefined;
    found = (found as Record<string | number, unknown>)[part];
  }
  return found;
}

function isMapping(found: unknown): found is Record<string | number, unknown> {
  return typeof found === "object" && found !== null;
}

/** Whether one path is the other, or stands within it. */
function concern(one: Path, other: Path): boolean {
  const length = Math.min(one.length, other.length);
  return one.slice(0, length).every((part, index) => part === other[index]);
}

function inOrder(faults: readonly ConfigFault[]): ConfigFault[] {
  return faults.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}
