import { z } from "zod";
import { ENDPOINTS, type Endpoint } from "./endpoints.ts";
import { Problem } from "./schemas.ts";

const DESCRIPTION = `What the dashboard reads and does, for roles with \`admin: true\`. A request shows an access token:
as \`Authorization: Bearer\`, or, from the gateway's own pages, by the cookie that signing in sets. The same numbers come
by themselves over the gateway's own event streams: subscribe to \`/.streamkeeper/overview\` (every second) or
\`/.streamkeeper/feeds\` (when a link changes) on \`/.well-known/mercure\`.`;

/** The API's description (OpenAPI 3.1), made from the schemas that validate its requests. */
export function openApiDocument(version: string, cookieName: string): object {
  const components: Record<string, object> = {};
  const paths: Record<string, Record<string, object>> = {};
  for (const endpoint of ENDPOINTS) {
    paths[`/admin/api${endpoint.path}`] ??= {};
    const path = paths[`/admin/api${endpoint.path}`] as Record<string, object>;
    path[endpoint.method.toLowerCase()] = operation(endpoint, components);
  }
  return {
    openapi: "3.1.0",
    info: { title: "Streamkeeper admin API", version, description: DESCRIPTION.replaceAll("\n", " ") },
    servers: [{ url: "/" }],
    security: [{ accessToken: [] }, { cookie: [] }],
    tags: [...new Set(ENDPOINTS.map(({ tag }) => tag))].map((name) => ({ name })),
    paths,
    components: {
      schemas: components,
      securitySchemes: {
        accessToken: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
        cookie: { type: "apiKey", in: "cookie", name: cookieName },
      },
    },
  };
}

function operation(endpoint: Endpoint, components: Record<string, object>): object {
  const problem = (description: string) => ({
    description,
    content: { "application/json": { schema: schemaOf(Problem, "output", components) } },
  });
  return {
    operationId: endpoint.id,
    tags: [endpoint.tag],
    summary: endpoint.summary,
    parameters: [
      ...parameters(endpoint.params, "path", components),
      ...parameters(endpoint.query, "query", components),
    ],
    ...(endpoint.body === undefined
      ? {}
      : {
          requestBody: {
            required: false,
            content: { "application/json": { schema: schemaOf(endpoint.body, "input", components) } },
          },
        }),
    responses: {
      "200": {
        description: endpoint.summary,
        content: { "application/json": { schema: schemaOf(endpoint.answer, "output", components) } },
      },
      "400": problem("the request is not as it should be"),
      "401": problem("no access token, or one that is not valid"),
      "403": problem("the role has no `admin`, or the request comes from another origin"),
      ...(Object.keys(endpoint.params.shape).length > 0 ? { "404": problem("there is no such thing") } : {}),
    },
  };
}

function parameters(
  schema: z.ZodObject,
  place: "path" | "query",
  components: Record<string, object>,
): object[] {
  return Object.entries(schema.shape).map(([name, field]) => {
    const { description, ...shape } = schemaOf(field as z.ZodType, "input", components) as {
      description?: string;
    };
    return {
      name,
      in: place,
      required: place === "path",
      ...(description === undefined ? {} : { description }),
      schema: shape,
    };
  });
}

/** JSON Schema of one; those with an id become components, and references to them. */
function schemaOf(schema: z.ZodType, io: "input" | "output", components: Record<string, object>): object {
  const {
    $schema: _dialect,
    $defs,
    ...own
  } = z.toJSONSchema(schema, {
    io,
    target: "draft-2020-12",
    reused: "inline",
  }) as { $schema?: string; $defs?: Record<string, object> };
  for (const [name, definition] of Object.entries($defs ?? {})) components[name] = rebased(definition);
  const shape = rebased(own);
  const { id } = schema.meta() ?? {};
  if (typeof id !== "string" || "$ref" in shape) return shape;
  components[id] = shape;
  return { $ref: `#/components/schemas/${id}` };
}

function rebased(schema: object): object {
  const text = JSON.stringify(schema, (key, value) =>
    key === "id" && typeof value === "string" && /^[A-Z]/.test(value) ? undefined : value,
  );
  return JSON.parse(text.replaceAll('"#/$defs/', '"#/components/schemas/')) as object;
}
