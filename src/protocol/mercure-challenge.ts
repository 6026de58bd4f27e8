/** RFC 6750, section 3: how a request learns what its access token lacks. */
export type BearerError = "invalid_request" | "invalid_token" | "insufficient_scope";

/**
 * The value of `WWW-Authenticate`.
 *
 * @param error null for a request without a token, which is told no error (RFC 6750, section 3.1)
 * @param metadata URL of the resource's metadata (RFC 9728, section 5.1); absent: not told
 * @param description what to do, for people; characters that the field can't hold are left out
 */
export function bearerChallenge(error: BearerError | null, description?: string, metadata?: string): string {
  const realm = `Bearer realm="streamkeeper"${metadata === undefined ? "" : `, resource_metadata="${quotable(metadata)}"`}`;
  if (error === null) return realm;
  const text = description === undefined ? "" : `, error_description="${quotable(description)}"`;
  return `${realm}, error="${error}"${text}`;
}

/** The token of an `Authorization` field; null when it is of another scheme or holds no token (RFC 6750, section 2.1). */
export function bearerToken(field: string): string | null {
  return /^bearer +([A-Za-z0-9._~+/-]+=*) *$/i.exec(field)?.[1] ?? null;
}

/** The value of the first cookie of a name; null without one (RFC 6265, section 4.2.1). */
export function cookieValue(field: string, name: string): string | null {
  for (const pair of field.split(";")) {
    const equals = pair.indexOf("=");
    if (equals < 0 || pair.slice(0, equals).trim() !== name) continue;
    const value = pair.slice(equals + 1).trim();
    return value.length >= 2 && value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1) : value;
  }
  return null;
}

/** RFC 6750, section 3: %x20-21 / %x23-5B / %x5D-7E. */
function quotable(text: string): string {
  return text
    .replaceAll('"', "'")
    .replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, "")
    .slice(0, 300);
}
