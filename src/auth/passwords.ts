import { argon2, randomBytes, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";

/** Longest password, in bytes of UTF-8; longer ones are refused unread. */
export const PASSWORD_BYTES_MAX = 1024;
/** Shortest password that people may choose, in characters (NIST SP 800-63B, 5.1.1.2). */
export const PASSWORD_LENGTH_MIN = 8;

/** What a hash costs. Memory in KiB. */
export interface HashCost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}

/** 19 MiB and two passes: OWASP's Password Storage Cheat Sheet for argon2id; some 30 ms of one core. */
export const HASH_COST: HashCost = { memory: 19_456, passes: 2, parallelism: 1 };

/** A stored hash may ask for this much and no more: the database is trusted, but a slip in it must not stop the gateway. */
const COST_MAX: HashCost = { memory: 262_144, passes: 16, parallelism: 4 };

const SALT_BYTES = 16;
const TAG_BYTES = 32;
const derive = promisify(argon2);

/**
 * What is wrong with a password for a user, in words for the one who chose it; null for a good one.
 *
 * @param lengthMin in characters
 */
export function passwordFault(password: string, lengthMin: number): string | null {
  if (password === "") return "a password can't be empty";
  if ([...password].length < lengthMin) return `a password needs at least ${lengthMin} characters`;
  return isOversized(password) ? `a password can't be longer than ${PASSWORD_BYTES_MAX} bytes` : null;
}

/** The argon2id hash of a password, as a PHC string (`$argon2id$v=19$m=…,t=…,p=…$salt$tag`). Off the main thread. */
export async function hashPassword(password: string, cost: HashCost = HASH_COST): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const tag = await tagOf(password, salt, TAG_BYTES, cost);
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.parallelism}$${unpadded(salt)}$${unpadded(tag)}`;
}

/** Whether the password has that hash. Off the main thread, compared in constant time. An unreadable hash matches nothing. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const parsed = parseHash(hash);
  if (parsed === null || isOversized(password)) return false;
  const tag = await tagOf(password, parsed.salt, parsed.tag.length, parsed.cost);
  return timingSafeEqual(tag, parsed.tag);
}

/** Whether the hash was made with another cost than today's, so that it should be made anew at the next sign-in. */
export function isOutdated(hash: string, cost: HashCost = HASH_COST): boolean {
  const parsed = parseHash(hash);
  return (
    parsed === null ||
    parsed.cost.memory !== cost.memory ||
    parsed.cost.passes !== cost.passes ||
    parsed.cost.parallelism !== cost.parallelism
  );
}

const PHC =
  /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,86})$/;

function parseHash(hash: string): { cost: HashCost; salt: Buffer; tag: Buffer } | null {
  const match = PHC.exec(hash);
  if (match === null) return null;
  const [memory, passes, parallelism] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const sane =
    memory <= COST_MAX.memory &&
    passes >= 1 &&
    passes <= COST_MAX.passes &&
    parallelism >= 1 &&
    parallelism <= COST_MAX.parallelism &&
    memory >= 8 * parallelism;
  if (!sane) return null;
  return {
    cost: { memory, passes, parallelism },
    salt: Buffer.from(match[4] as string, "base64"),
    tag: Buffer.from(match[5] as string, "base64"),
  };
}

/** NFC, so that the same password typed on another keyboard is the same bytes (RFC 8265, "OpaqueString"). */
function tagOf(password: string, nonce: Buffer, tagLength: number, cost: HashCost): Promise<Buffer> {
  return derive("argon2id", { message: password.normalize("NFC"), nonce, tagLength, ...cost });
}

function isOversized(password: string): boolean {
  return password.length > PASSWORD_BYTES_MAX || Buffer.byteLength(password) > PASSWORD_BYTES_MAX;
}

function unpadded(bytes: Buffer): string {
  return bytes.toString("base64").replace(/=+$/, "");
}
