import assert from "node:assert/strict";
import { test } from "node:test";
import { parse } from "yaml";
import { configJsonSchema, type SchemaNode, schemaTree } from "./json-schema.ts";
import { parseConfig } from "./load.ts";
import { printableConfig, printConfig } from "./print.ts";

const variable = (name: string) => `$\{${name}}`;
const environment = { TOKEN: "s3cret", PORT: "9090", FRACTION: "55.5%" };
const text = `
listen:
  port: ${variable("PORT")}
database: postgres://keeper:hunter2@db.example.com/streamkeeper
auth:
  issuer: a $${variable("literal")}
feeds:
  quotes:
    url: "https://feed.example.com/{keys}?api_key=hunter2&lang=en&sig=${variable("TOKEN")}"
    topic: /quotes/{key}
    key: /symbol
    headers:
      authorization: "Bearer ${variable("TOKEN")}"
      x-api-key: hunter2
      x-other: "Bearer hunter2"
      accept-language: en
limits: { memory: "55.5%", queueBytes: 3MiB }
`;

test("print: secrets are hidden, whether they came from the environment or stand in the file", () => {
  const printed = printConfig(parseConfig(text, "f.yaml", environment));
  assert.doesNotMatch(printed, /hunter2|s3cret/);
  assert.match(printed, /postgres:\/\/keeper:\(hidden\)@db\.example\.com/);
  assert.match(printed, /api_key=\(hidden\)&lang=en&sig=\$\{TOKEN\}/);
  assert.match(printed, /authorization: Bearer \$\{TOKEN\}/);
  assert.match(printed, /accept-language: en/);
});

test("print: what is printed is what is in force, and can be read again", () => {
  const loaded = parseConfig(text.replaceAll("hunter2", variable("TOKEN")), "f.yaml", environment);
  const printed = printConfig(loaded);
  assert.deepEqual(parseConfig(printed, "f.yaml", environment).config, loaded.config);
  assert.match(printed, /accessTokenTtl: 15m\n/);
  assert.match(printed, /queueBytes: 3MiB\n/);
  assert.match(printed, /memory: 55\.5%\n/);
  assert.match(printed, /port: 9090\n/);
});

test("print: YAML and JSON say the same", () => {
  const loaded = parseConfig(text, "f.yaml", environment);
  assert.deepEqual(parse(printConfig(loaded)), JSON.parse(JSON.stringify(printableConfig(loaded))));
});

test("schema: every key has a description, and every value a default or is required", () => {
  const bare = [...leaves(schemaTree(), "")];
  assert.ok(bare.length > 60, `only ${bare.length} keys`);
  for (const { path, node, required } of bare) {
    assert.ok(node.description, `${path} has no description`);
    assert.ok(required || node.default !== undefined, `${path} has neither default nor is it required`);
  }
});

test("schema: the JSON Schema for editors holds no keyword of ours, and lets variables stand for numbers", () => {
  const schema = configJsonSchema();
  assert.doesNotMatch(JSON.stringify(schema), /"form":/);
  const port = (schema as SchemaNode).properties?.listen?.properties?.port;
  assert.deepEqual(
    port?.anyOf?.map((one) => one.type),
    ["integer", "string"],
  );
});

function* leaves(
  node: SchemaNode,
  path: string,
): Generator<{ path: string; node: SchemaNode; required: boolean }> {
  for (const [key, child] of Object.entries(node.properties ?? {})) {
    yield { path: `${path}.${key}`, node: child, required: node.required?.includes(key) ?? false };
    yield* leaves(child, `${path}.${key}`);
  }
  if (node.additionalProperties) yield* leaves(node.additionalProperties, `${path}.<name>`);
  if (node.items) yield* leaves(node.items, `${path}[]`);
  for (const inner of node.anyOf ?? []) yield* leaves(inner, path);
}
