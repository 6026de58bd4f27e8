import { writeFileSync } from "node:fs";
import { type SchemaNode, schemaTree, withoutNull } from "#config/json-schema.ts";
import { UNAVAILABLE } from "#config/unavailable.ts";

/** Where the generated page stands. */
export const CONFIG_DOCS = new URL("../docs/configuration.md", import.meta.url);

/** docs/configuration.md, made of the schema. `node --conditions=streamkeeper-source tools/config-docs.ts` writes it. */
export function configDocs(): string {
  const root = schemaTree();
  const sections = Object.entries(root.properties ?? {}).map(([name, node]) => section(name, node));
  const refused = UNAVAILABLE.map(({ path, expected }) => `- \`${path.join(".")}\`: only ${expected}.`);
  const unavailable = refused.length === 0 ? [] : [[UNAVAILABLE_HEADING, "", ...refused].join("\n")];
  return `${[INTRODUCTION, ...sections, ...unavailable].join("\n\n")}\n`;
}

const INTRODUCTION = `# Configuration

<!-- Written by tools/config-docs.ts from src/config/schema.ts; edit those. -->

One YAML file: the one that \`-c FILE\` names, else \`./streamkeeper.yaml\` if it is there, else the defaults: plain HTTP on
loopback, with SQLite. \`streamkeeper config check\` tells every fault of it at once, \`config print\` what is in force with
secrets hidden, \`config schema\` a JSON Schema for editors.

- **Unknown keys are errors**, and so are two equal keys. A key with nothing behind it is as good as absent.
- **Durations** have a unit: \`250ms\`, \`30s\`, \`15m\`, \`12h\`, \`30d\`, \`1h30m\`.
- **Sizes** are bytes, or have a unit: \`64KiB\`, \`1MiB\`, \`2GiB\` (1024), \`64kB\`, \`1MB\`, \`2GB\` (1000).
- **\`\${NAME}\`** in a value takes an environment variable, which must be set and not be empty. Without quotes it may stand
  for a number, or for true or false; within quotes it is text. \`$\${\` is a literal \`\${\`. Text from the
  environment counts as secret: it is never printed.
- **Paths** are taken from the configuration file's directory.
- **Topics** and patterns are as in subscriptions: \`/quotes/AAPL\` is one topic; what holds \`*\`, \`{\` or \`:name\` is a URL
  pattern, such as \`/quotes/*\`; \`*\` alone is every topic.
- Anchors and aliases may be used. At most 1 MiB, 50,000 values and 24 levels.`;

const UNAVAILABLE_HEADING = `## Not available yet

These are part of the contract, and refused by this version, since a setting without effect is worse than none:`;

interface Row {
  readonly path: string;
  readonly form: string;
  readonly fallback: string;
  readonly meaning: string;
}

function section(name: string, node: SchemaNode): string {
  const inner = withoutNull(node);
  const isValue = inner.properties === undefined && !inner.additionalProperties;
  const rows = isValue ? [row(name, node, false)] : [...rowsOf(name, node)];
  const heading = [`## \`${name}\``, "", ...(isValue ? [] : [node.description ?? "", ""])];
  const table = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"];
  return [
    ...heading,
    ...table,
    ...rows.map((cells) => `| \`${cells.path}\` | ${cells.form} | ${cells.fallback} | ${cells.meaning} |`),
  ].join("\n");
}

/** The values within a mapping; a mapping within it gets no row of its own. */
function* rowsOf(path: string, node: SchemaNode): Generator<Row> {
  const { properties, additionalProperties, required = [] } = withoutNull(node);
  for (const [key, child] of Object.entries(properties ?? {})) {
    const inner = withoutNull(child);
    const full = `${path}.${key}`;
    if (inner.properties !== undefined) yield* rowsOf(full, child);
    else if (additionalPropertiesOf(inner)?.properties !== undefined) {
      yield row(full, child, false);
      yield* rowsOf(full, child);
    } else if (inner.items?.properties !== undefined) {
      yield row(full, child, false);
      yield* rowsOf(`${full}[]`, inner.items);
    } else yield row(full, child, required.includes(key));
  }
  if (additionalProperties) yield* rowsOf(`${path}.NAME`, additionalProperties);
}

function row(path: string, node: SchemaNode, required: boolean): Row {
  const fallback = required || node.default === undefined ? "required" : `\`${written(node.default)}\``;
  return { path, form: formOf(node), fallback, meaning: node.description ?? "" };
}

function formOf(node: SchemaNode): string {
  const inner = withoutNull(node);
  if (inner.items !== undefined) return `list: ${inner.items.form ?? "mappings"}`;
  const values = additionalPropertiesOf(inner);
  if (values !== undefined)
    return values.form === undefined ? "mapping by name" : `mapping of names to ${values.form}`;
  return inner.form ?? "mapping";
}

function additionalPropertiesOf(node: SchemaNode): SchemaNode | undefined {
  return node.additionalProperties || undefined;
}

/** A default as it would stand in the file. */
function written(value: unknown): string {
  if (typeof value === "string") return value === "" || value === "*" ? JSON.stringify(value) : value;
  if (Array.isArray(value)) return `[${value.map(written).join(", ")}]`;
  if (typeof value !== "object" || value === null) return String(value);
  const entries = Object.entries(value).map(([key, item]) => `${key}: ${written(item)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

if (import.meta.main) writeFileSync(CONFIG_DOCS, configDocs());
