import { CodedError } from "#base/errors.ts";

/** Answers what a pointer points at, or undefined where nothing is. */
export type JsonPointer = (document: unknown) => unknown;

/**
 * Compiles a JSON Pointer (RFC 6901). "" points at the whole document.
 *
 * @throws CodedError `json_pointer_invalid`
 */
export function compileJsonPointer(text: string): JsonPointer {
  if (text === "") return (document) => document;
  if (!text.startsWith("/") || /~(?![01])/.test(text)) {
    throw new CodedError(
      "json_pointer_invalid",
      `${JSON.stringify(text)} is not a JSON Pointer: "", or parts each led by "/", with "~" as "~0" and "/" as "~1"`,
    );
  }
  const parts = text
    .slice(1)
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));
  const only = parts[0] as string;
  return parts.length === 1
    ? (document) => step(document, only)
    : (document) => parts.reduce<unknown>(step, document);
}

/** Own members only: `/constructor` points at nothing, unless the document says so. */
function step(value: unknown, part: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  if (Array.isArray(value)) return ARRAY_INDEX.test(part) ? value[Number(part)] : undefined;
  return Object.hasOwn(value, part) ? (value as Record<string, unknown>)[part] : undefined;
}

const ARRAY_INDEX = /^(?:0|[1-9][0-9]{0,9})$/;
