import { stringify } from "yaml";
import { formatBytes, formatDurationMs } from "#base/units.ts";
import type { MemoryLimit } from "./config.ts";
import { formatPath, type Path } from "./fault.ts";
import { type SchemaNode, schemaTree, withoutNull } from "./json-schema.ts";
import type { LoadedConfig } from "./load.ts";
import { hideSecrets } from "./secrets.ts";

/**
 * What is in force, in the file's own shape: defaults put in, units as people write them, secrets hidden. Text from the
 * environment is shown as its `${NAME}`, so that the output can be a configuration again.
 */
export function printableConfig(loaded: LoadedConfig): Record<string, unknown> {
  const sources = new Map(loaded.fromEnvironment.map(({ path, source }) => [formatPath(path), source]));
  return printable(loaded.inForce, schemaTree(), [], sources) as Record<string, unknown>;
}

/** `printableConfig` as YAML, with where it comes from in a first comment. */
export function printConfig(loaded: LoadedConfig): string {
  const from =
    loaded.file === null ? "no file: every value is the default" : `${loaded.file}, defaults put in`;
  return `# ${from}\n${stringify(printableConfig(loaded), { lineWidth: 0 })}`;
}

function printable(
  value: unknown,
  schema: SchemaNode,
  path: Path,
  sources: ReadonlyMap<string, string>,
): unknown {
  const node = withoutNull(schema);
  const form = node.form ?? "";
  if (typeof value === "number") {
    if (form.startsWith("duration")) return formatDurationMs(value);
    return form.startsWith("size") ? formatBytes(value) : value;
  }
  if (typeof value === "string") {
    // A literal `${` must not turn into a variable when the output is read again.
    return hideSecrets(sources.get(formatPath(path)) ?? value.replaceAll("${", () => "$${"), path);
  }
  if (typeof value !== "object" || value === null) return value;
  if (form.startsWith("percentage")) return printableMemory(value as MemoryLimit);
  if (Array.isArray(value)) {
    return value.map((item, index) => printable(item, node.items ?? {}, [...path, index], sources));
  }
  const entries = Object.entries(value).map(([key, item]) => {
    const inner = node.properties?.[key] ?? (node.additionalProperties || {});
    return [key, printable(item, inner, [...path, key], sources)] as const;
  });
  return Object.fromEntries(entries);
}

function printableMemory(memory: MemoryLimit): string {
  return memory.kind === "fraction"
    ? `${Number((memory.fraction * 100).toFixed(6))}%`
    : formatBytes(memory.bytes);
}
