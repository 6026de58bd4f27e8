import { MercureError } from "./mercure.ts";

/** Most name and value pairs in one query or body. */
const PAIRS_MAX = 4096;

/**
 * The pairs of an `application/x-www-form-urlencoded` text (URL standard, "urlencoded parsing"), in order, except
 * that bytes which are not UTF-8 are refused rather than replaced, as Mercure asks.
 *
 * @param text one character a byte ("latin1"), as `node:http` gives a URL
 * @throws MercureError `bad_encoding`, `too_many_fields`
 */
export function parseForm(text: string): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  if (text === "") return pairs;
  for (const part of text.split("&", PAIRS_MAX + 1)) {
    if (part === "") continue;
    if (pairs.length === PAIRS_MAX) {
      throw new MercureError("too_many_fields", `more than ${PAIRS_MAX} fields; send fewer`, 413);
    }
    const equals = part.indexOf("=");
    const name = equals < 0 ? part : part.slice(0, equals);
    pairs.push([decode(name), equals < 0 ? "" : decode(part.slice(equals + 1))]);
  }
  return pairs;
}

/** Bytes as `node:http` gives them in a header, one character each, read as UTF-8; null if they are not. */
export function utf8FromLatin1(text: string): string | null {
  if (!NOT_ASCII.test(text)) return text;
  try {
    return utf8.decode(Buffer.from(text, "latin1"));
  } catch {
    return null;
  }
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NOT_ASCII = /[^\0-\x7f]/;
const ENCODED = /[%+]|[^\0-\x7f]/;

function decode(text: string): string {
  if (!ENCODED.test(text)) return text;
  const bytes = Buffer.from(text, "latin1");
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    let byte = bytes[at] as number;
    if (byte === 0x2b) {
      byte = 0x20;
    } else if (byte === 0x25) {
      const high = hexOf(bytes[at + 1]);
      const low = hexOf(bytes[at + 2]);
      // A stray '%' stands for itself (URL standard, "percent-decode").
      if (high >= 0 && low >= 0) {
        byte = high * 16 + low;
        at += 2;
      }
    }
    bytes[length++] = byte;
  }
  try {
    return utf8.decode(bytes.subarray(0, length));
  } catch {
    throw new MercureError(
      "bad_encoding",
      "a field is not valid UTF-8; encode it as UTF-8, then percent-encode it",
    );
  }
}

function hexOf(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
