import { isPlain, isSecret, isSuspicious, redactFields, redactText } from "./log-redaction.ts";

/** Names of fields that were looked at, and whether each may be written. Names stand in our code, but for a few. */
const written = new Map<string, boolean>();
const WRITTEN_MAX = 1024;

/**
 * One log line: a JSON object with the level as a word, the time in milliseconds since the Unix epoch, the fields and the
 * message, secrets taken out. Two lines a connection are a good part of what a storm of clients costs, so fields that are
 * plain values are written as they are, and looked at as one text; anything else is copied and cut member by member.
 */
export function lineOf(level: string, timeMs: number, fields: object, message: string): string {
  const safe = plainText(fields) ?? JSON.stringify(redactFields(fields));
  const members = safe === "{}" ? "" : `,${safe.slice(1, -1)}`;
  return `{"level":"${level}","time":${timeMs}${members},"msg":${JSON.stringify(redactText(message))}}\n`;
}

/** The fields as JSON where there is nothing to take out; null: `redactFields` is to see them. */
function plainText(fields: object): string | null {
  let members = 0;
  for (const name in fields) {
    if (++members > MEMBERS_PLAIN || !mayBeWritten(name)) return null;
    if (!isPlain((fields as Record<string, unknown>)[name])) return null;
  }
  const text = JSON.stringify(fields);
  return isSuspicious(text) ? null : text;
}

/** Lines with more fields are rare. */
const MEMBERS_PLAIN = 32;

function mayBeWritten(name: string): boolean {
  let may = written.get(name);
  if (may === undefined) {
    may = !isSecret(name);
    if (written.size < WRITTEN_MAX) written.set(name, may);
  }
  return may;
}
