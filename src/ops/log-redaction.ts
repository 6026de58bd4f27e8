/** What replaces a secret in a log line. */
export const REDACTED = "[redacted]";

/** Longest text in a log line, in UTF-16 code units; the rest is cut and said to be. */
const TEXT_LENGTH_MAX = 4096;
/** Deepest nesting of fields that is written out. */
const DEPTH_MAX = 6;
/** Most members of one object or array that are written out. */
const MEMBERS_MAX = 100;

/** Names of fields that never reach a log line, compared in lower case with `-` and `_` left out. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  "authorization",
  "proxyauthorization",
  "cookie",
  "setcookie",
  "token",
  "accesstoken",
  "refreshtoken",
  "idtoken",
  "password",
  "passphrase",
  "secret",
  "clientsecret",
  "apikey",
  "xapikey",
  "privatekey",
  "query",
  "querystring",
]);

/** What all that is taken out has in it. Most texts have none of it, and are looked at once instead of three times. */
const SUSPICIOUS = /eyJ|bearer|basic|[?@]/i;
const JWT = /\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*/g;
const CREDENTIALS = /\b(Bearer|Basic)\s+[\w+/=.~-]{6,}/gi;
/** Words in which a URL may stand; each is cut by hand, since a pattern for URLs would be quadratic in a hostile text. */
const WORD = /[^\s"'<>]+/g;

/**
 * A copy of a log line's fields that is safe to write: secrets by name and by shape are replaced, query strings cut
 * off, long texts and deep or wide values cut short. The second net under callers that should hand in none of these.
 */
export function redactFields(fields: object): Record<string, unknown> {
  return redactMembers(fields, 0);
}

/** A text without tokens, credentials, a URL's user and password, or query strings. */
export function redactText(text: string): string {
  const cut = text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX)}…` : text;
  if (!SUSPICIOUS.test(cut)) return cut;
  return cut.replace(JWT, REDACTED).replace(CREDENTIALS, `$1 ${REDACTED}`).replace(WORD, redactUrl);
}

/** Whether a value is written as it is, but for what its text may hold. */
export function isPlain(value: unknown): boolean {
  switch (typeof value) {
    case "string":
      return value.length <= TEXT_LENGTH_MAX;
    case "number":
    case "boolean":
    case "undefined":
      return true;
    default:
      return value === null;
  }
}

/** Whether a text may hold what is to be taken out. JSON's escapes hide none of it. */
export function isSuspicious(text: string): boolean {
  return SUSPICIOUS.test(text);
}

/** Whether a field of this name never reaches a log line. */
export function isSecret(name: string): boolean {
  return SECRET_NAMES.has(name.toLowerCase().replace(/[-_]/g, ""));
}

function redactMembers(value: object, depth: number): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  let members = 0;
  for (const [name, member] of Object.entries(value)) {
    if (members++ >= MEMBERS_MAX) {
      safe["…"] = "more members left out";
      break;
    }
    safe[name] =
      isSecret(name) && member !== null && member !== undefined ? REDACTED : redact(member, depth + 1);
  }
  return safe;
}

function redact(value: unknown, depth: number): unknown {
  if (typeof value === "string") return redactText(value);
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return value;
  if (depth > DEPTH_MAX) return "…";
  if (value instanceof Error) return describeError(value, depth);
  if (value instanceof Date) return value;
  if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
  if (value instanceof Map || value instanceof Set) return `${value.constructor.name} of ${value.size}`;
  if (Array.isArray(value)) return value.slice(0, MEMBERS_MAX).map((member) => redact(member, depth + 1));
  return redactMembers(value, depth);
}

function describeError(error: Error, depth: number): Record<string, unknown> {
  const described: Record<string, unknown> = { type: error.name, message: redactText(error.message) };
  if ("code" in error) described.code = redact(error.code, depth + 1);
  if (error.stack !== undefined) described.stack = redactText(error.stack);
  if (error.cause !== undefined) described.cause = redact(error.cause, depth + 1);
  return described;
}

function redactUrl(word: string): string {
  const slash = word.indexOf("/");
  const question = slash === -1 ? -1 : word.indexOf("?", slash);
  const bare = question === -1 ? word : word.slice(0, question);
  const authority = bare.indexOf("://") + 3;
  if (authority === 2) return bare;
  const end = bare.indexOf("/", authority);
  const at = bare.lastIndexOf("@", end === -1 ? bare.length : end);
  return at < authority ? bare : `${bare.slice(0, authority)}${REDACTED}${bare.slice(at)}`;
}
