import { z } from "zod";
import { fileSchema } from "./schema.ts";

/** The part of JSON Schema (2020-12) that the configuration's schema uses, and our own `form`. */
export interface SchemaNode {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  /** The values of a mapping whose keys are chosen freely; false: no keys but `properties`. */
  readonly additionalProperties?: SchemaNode | false;
  readonly required?: readonly string[];
  readonly items?: SchemaNode;
  readonly anyOf?: readonly SchemaNode[];
  /** What is written, for people, such as `duration, 1s to 1d`. */
  readonly form?: string;
}

/** The schema with `form`, as the documentation and `config print` walk it. */
export function schemaTree(): SchemaNode {
  return z.toJSONSchema(fileSchema, { io: "input" }) as SchemaNode;
}

/** A JSON Schema for editors. Where a value has a form, `${NAME}` is accepted too: the environment isn't known yet. */
export function configJsonSchema(): object {
  const schema = z.toJSONSchema(fileSchema, {
    io: "input",
    override: ({ jsonSchema }) => {
      if (!("form" in jsonSchema)) return;
      delete jsonSchema.form;
      const { type, pattern, enum: choices, minimum, maximum } = jsonSchema;
      if (
        jsonSchema.anyOf !== undefined ||
        (type === "string" && pattern === undefined && choices === undefined)
      )
        return;
      const plain = Object.entries({ type, pattern, enum: choices, minimum, maximum }).filter(
        ([, part]) => part !== undefined,
      );
      for (const [keyword] of plain) delete jsonSchema[keyword];
      jsonSchema.anyOf = [Object.fromEntries(plain), { type: "string", pattern: "\\$\\{[A-Za-z_]\\w*\\}" }];
    },
  });
  return { ...schema, title: "Streamkeeper configuration" };
}

/** The schema of a value that may also be null, without the null. */
export function withoutNull(node: SchemaNode): SchemaNode {
  const inner = node.anyOf?.find((one) => one.type !== "null");
  if (inner === undefined) return node;
  const { anyOf: _, ...outer } = node;
  return { ...inner, ...outer };
}
