import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/**
 * A refresh token: the session's id, a part that stays for the session's life, and one that is replaced at each use.
 * 512 bits, so a fast hash is enough at rest. The prefix lets scanners of leaked secrets know it.
 */
export interface RefreshToken {
  readonly sessionId: string;
  /** SHA-256 of the part that stays, base64url. */
  readonly familyHash: string;
  /** SHA-256 of the part that is replaced, base64url. */
  readonly tokenHash: string;
}

const PREFIX = "skr_";
const ID_BYTES = 16;
const FAMILY_BYTES = 16;
const SECRET_BYTES = 32;
const TEXT_LENGTH = PREFIX.length + Math.ceil(((ID_BYTES + FAMILY_BYTES + SECRET_BYTES) * 4) / 3);

export function newRefreshToken(): { text: string; token: RefreshToken } {
  return assemble(randomBytes(ID_BYTES), randomBytes(FAMILY_BYTES));
}

/** The next token of the session that `text`, a well-formed token, belongs to. */
export function nextRefreshToken(text: string): { text: string; token: RefreshToken } {
  const bytes = Buffer.from(text.slice(PREFIX.length), "base64url");
  return assemble(bytes.subarray(0, ID_BYTES), bytes.subarray(ID_BYTES, ID_BYTES + FAMILY_BYTES));
}

/** Null for what is not a refresh token by its form. */
export function parseRefreshToken(text: string): RefreshToken | null {
  if (text.length !== TEXT_LENGTH || !text.startsWith(PREFIX) || !/^[\w-]+$/.test(text)) return null;
  const bytes = Buffer.from(text.slice(PREFIX.length), "base64url");
  return {
    sessionId: bytes.toString("base64url", 0, ID_BYTES),
    familyHash: hashOf(bytes.subarray(ID_BYTES, ID_BYTES + FAMILY_BYTES)),
    tokenHash: hashOf(bytes.subarray(ID_BYTES + FAMILY_BYTES)),
  };
}

/** Compares two hashes in constant time. */
export function sameHash(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function assemble(id: Buffer, family: Buffer): { text: string; token: RefreshToken } {
  const secret = randomBytes(SECRET_BYTES);
  return {
    text: PREFIX + Buffer.concat([id, family, secret]).toString("base64url"),
    token: { sessionId: id.toString("base64url"), familyHash: hashOf(family), tokenHash: hashOf(secret) },
  };
}

function hashOf(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("base64url");
}
