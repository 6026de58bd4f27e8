/**
 * The text of a value inside a JSON text, as it was written: what is published is passed on, never written anew, so
 * that numbers keep their digits.
 *
 * @param text a JSON object that `JSON.parse` has accepted
 * @param path names of members, from the outermost
 * @returns null where a member is missing; of members with equal names the last one, as in `JSON.parse`
 */
export function rawMember(text: string, path: readonly string[]): string | null {
  let start = skipSpace(text, 0);
  let end = text.length;
  for (const name of path) {
    const found = memberOf(text, start, name);
    if (found === null) return null;
    [start, end] = found;
  }
  return text.slice(start, end);
}

function memberOf(text: string, objectStart: number, name: string): [start: number, end: number] | null {
  if (text[objectStart] !== "{") return null;
  let found: [number, number] | null = null;
  let at = skipSpace(text, objectStart + 1);
  while (text[at] === '"') {
    const keyEnd = skipString(text, at);
    const isIt = nameOf(text, at, keyEnd) === name;
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = skipValue(text, start);
    if (isIt) found = [start, end];
    at = skipSpace(text, end);
    if (text[at] !== ",") break;
    at = skipSpace(text, at + 1);
  }
  return found;
}

function nameOf(text: string, start: number, end: number): string {
  const quoted = text.slice(start, end);
  return quoted.includes("\\") ? (JSON.parse(quoted) as string) : quoted.slice(1, -1);
}

function skipSpace(text: string, from: number): number {
  let at = from;
  while (text[at] === " " || text[at] === "\t" || text[at] === "\n" || text[at] === "\r") at++;
  return at;
}

/** From an opening quote to behind the closing one. */
function skipString(text: string, from: number): number {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

/** Counts brackets instead of descending, so that no nesting exhausts the stack. */
function skipValue(text: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < text.length) {
    switch (text[at]) {
      case '"':
        at = skipString(text, at);
        if (depth === 0) return at;
        continue;
      case "{":
      case "[":
        depth++;
        break;
      case "}":
      case "]":
        if (depth === 0) return at;
        depth--;
        if (depth === 0) return at + 1;
        break;
      case ",":
      case " ":
      case "\t":
      case "\n":
      case "\r":
        if (depth === 0) return at;
        break;
    }
    at++;
  }
  return at;
}
