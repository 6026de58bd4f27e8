import { z } from "zod";
import { formatBytes, formatDurationMs, parseBytes, parseDurationMs } from "#base/units.ts";
import type { MemoryLimit } from "./config.ts";

/**
 * The kinds of values that a configuration holds. Each is a zod schema whose only message is what it expected, in
 * words, and whose metadata is its JSON Schema as people write it. What was found is added by whoever reports.
 */

/** What `z.toJSONSchema` copies into the schema of a value. */
interface ValueMeta {
  readonly type?: string | readonly string[];
  readonly pattern?: string;
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly examples?: readonly unknown[];
  /** For the documentation: what is written, such as `duration, 1s to 1d`. Not a JSON Schema keyword. */
  readonly form: string;
}

/** A value read by `read`, which answers undefined for what it does not accept. `expected` follows the word "expected". */
function value<T>(expected: string, meta: ValueMeta, read: (found: unknown) => T | undefined) {
  return z
    .unknown()
    .transform((found, context): T => {
      const accepted = read(found);
      if (accepted !== undefined) return accepted;
      context.addIssue({ code: "custom", message: expected });
      return z.NEVER;
    })
    .meta({ ...meta });
}

/** A string read by `read`, which answers what is wrong with it, as "expected …", or null. */
export function text(form: string, expected: string, fault: (found: string) => string | null) {
  return z
    .unknown()
    .transform((found, context): string => {
      const wrong = typeof found === "string" ? fault(found) : expected;
      if (wrong === null) return found as string;
      context.addIssue({ code: "custom", message: wrong });
      return z.NEVER;
    })
    .meta({ type: "string", form } satisfies ValueMeta);
}

/** `250ms`, `30s`, `1h30m` as milliseconds. */
export function duration(min: string, max: string) {
  const [minMs, maxMs] = [parseDurationMs(min) as number, parseDurationMs(max) as number];
  const form = `duration, ${formatDurationMs(minMs)} to ${formatDurationMs(maxMs)}`;
  const expected = `a duration such as ${example(minMs, maxMs)}, from ${formatDurationMs(minMs)} to ${formatDurationMs(maxMs)}`;
  const pattern = "^(\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)\\s*)+$";
  return value(expected, { type: "string", pattern, form }, (found) => {
    const ms = typeof found === "string" ? parseDurationMs(found) : null;
    return ms !== null && ms >= minMs && ms <= maxMs ? ms : undefined;
  });
}

/** `64KiB`, `1.5MB` or a whole number, as bytes. */
export function bytes(min: string, max: string) {
  const [minBytes, maxBytes] = [parseBytes(min) as number, parseBytes(max) as number];
  const form = `size, ${formatBytes(minBytes)} to ${formatBytes(maxBytes)}`;
  const expected = `a size such as 64KiB, from ${formatBytes(minBytes)} to ${formatBytes(maxBytes)}`;
  return value(expected, { type: ["string", "integer"], pattern: BYTES_PATTERN, form }, (found) => {
    const size = readBytes(found);
    return size !== null && size >= minBytes && size <= maxBytes ? size : undefined;
  });
}

/** `80%` of the memory there is, or a size. */
export function memory() {
  return value<MemoryLimit>(
    "a share such as 80%, from 1% to 100%, or a size such as 2GiB, from 64MiB",
    {
      type: ["string", "integer"],
      pattern: `^\\d+(\\.\\d+)?\\s*(%|[kKMG]i?B|B)?$`,
      form: "percentage or size, 1% to 100% or from 64MiB",
    },
    (found) => {
      const share = typeof found === "string" ? /^(\d+(?:\.\d+)?)\s*%$/.exec(found.trim()) : null;
      if (share !== null) {
        const fraction = Number(share[1]) / 100;
        return fraction >= 0.01 && fraction <= 1 ? { kind: "fraction", fraction } : undefined;
      }
      const size = readBytes(found);
      return size !== null && size >= 64 * 2 ** 20 ? { kind: "bytes", bytes: size } : undefined;
    },
  );
}

export function integer(minimum: number, maximum: number) {
  const meta: ValueMeta = {
    type: "integer",
    minimum,
    maximum,
    form: `whole number, ${minimum} to ${maximum}`,
  };
  return value(`a whole number from ${minimum} to ${maximum}`, meta, (found) =>
    Number.isInteger(found) && (found as number) >= minimum && (found as number) <= maximum
      ? (found as number)
      : undefined,
  );
}

export function boolean() {
  return value("true or false", { type: "boolean", form: "true or false" }, (found) =>
    typeof found === "boolean" ? found : undefined,
  );
}

export function choice<const Choices extends readonly string[]>(...choices: Choices) {
  const words = `${choices.slice(0, -1).join(", ")} or ${choices.at(-1)}`;
  return value(words, { type: "string", enum: choices, form: choices.join(" \\| ") }, (found) =>
    (choices as readonly unknown[]).includes(found) ? (found as Choices[number]) : undefined,
  );
}

/** The same value, or null for "none". */
export function orNull<T extends z.ZodType>(inner: T) {
  const meta = inner.meta() ?? {};
  const type = meta.type === undefined ? {} : { type: [meta.type, "null"].flat() };
  return inner.nullable().meta({ ...meta, ...type });
}

/** A mapping of exactly these keys. */
export function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys"
        ? `one of the keys ${Object.keys(shape).join(", ")}`
        : `a mapping of ${Object.keys(shape).join(", ")}`,
  });
}

/** A list, with at most `max` items. */
export function list<Item extends z.ZodType>(item: Item, what: string, max: number) {
  return z.array(item, { error: `a list of ${what}` }).max(max, { error: `at most ${max} items` });
}

/** A mapping from names, which `relations.ts` checks, to values; with at most `max` entries. */
export function named<Item extends z.ZodType>(item: Item, what: string, max: number) {
  return z
    .record(z.string(), item, { error: `a mapping of ${what}` })
    .refine((entries) => Object.keys(entries).length <= max, { error: `at most ${max} entries` });
}

const BYTES_PATTERN = "^\\d+(\\.\\d+)?\\s*([kKMG]i?B|B)?$";

function readBytes(found: unknown): number | null {
  if (typeof found === "number") return Number.isSafeInteger(found) ? found : null;
  return typeof found === "string" ? parseBytes(found) : null;
}

/** A round duration within the bounds, to show how one is written. */
function example(minMs: number, maxMs: number): string {
  const rounds = [250, 10e3, 600e3, 12 * 3600e3];
  return formatDurationMs(rounds.find((round) => round >= minMs && round <= maxMs) ?? minMs);
}
