import { closeSync, openSync, readSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { codeOf, messageOf } from "#base/errors.ts";
import type { TlsConfig } from "#config/config.ts";
import { checkPair, TlsError, type TlsFault } from "./tls-pair.ts";

/** Largest PEM file, in bytes. A chain of ten certificates has some 20 kB. */
const PEM_BYTES_MAX = 256 * 1024;

/** A certificate and its key that belong together and are good now. */
export interface LoadedTls {
  /** For `tls.createServer` and `server.setSecureContext`; TLS 1.2 and up. */
  readonly context: Pick<SecureContextOptions, "cert" | "key" | "minVersion">;
  /** End of the certificate's validity, in milliseconds since the Unix epoch. */
  readonly expiresAtMs: number;
  /** The certificate's subject, on one line, such as `CN=example.com`. */
  readonly subject: string;
  /** Host names and addresses that the certificate is for. */
  readonly names: readonly string[];
}

/**
 * Reads a certificate and its key, and checks them before anything uses them, so that a half-renewed pair never
 * replaces a working one.
 *
 * @param nowMs wall-clock time, in milliseconds since the Unix epoch
 * @throws TlsError with everything that is wrong, each with the file that it is wrong in
 */
export function loadTls(files: TlsConfig, nowMs: number): LoadedTls {
  const faults: TlsFault[] = [];
  const cert = readPem(files.cert, faults);
  const key = readPem(files.key, faults);
  if (cert === null || key === null) throw new TlsError(faults);
  const pair = checkPair({ cert, key, files, nowMs });
  const context = { cert, key, minVersion: "TLSv1.2" } as const;
  try {
    createSecureContext(context);
  } catch (thrown) {
    const message = `${files.cert} is refused by the TLS library: ${messageOf(thrown)}`;
    throw new TlsError([{ code: "tls_refused", file: files.cert, message }], { cause: thrown });
  }
  return { context, ...pair };
}

/** A PEM file's text; null, with a fault, where it can't be read. */
export function readPem(file: string, faults: TlsFault[]): string | null {
  const tell = (code: TlsFault["code"], what: string) => {
    faults.push({ code, file, message: `${file} ${what}` });
    return null;
  };
  let descriptor: number | null = null;
  try {
    descriptor = openSync(file, "r");
    const buffer = Buffer.alloc(PEM_BYTES_MAX + 1);
    let length = 0;
    for (let count = -1; count !== 0 && length < buffer.length; length += count) {
      count = readSync(descriptor, buffer, length, buffer.length - length, null);
    }
    if (length > PEM_BYTES_MAX) return tell("tls_not_pem", `is larger than ${PEM_BYTES_MAX / 1024} KiB`);
    return buffer.toString("utf8", 0, length);
  } catch (thrown) {
    const code = codeOf(thrown);
    if (code === "ENOENT") return tell("tls_missing", "does not exist");
    if (code === "EACCES") return tell("tls_unreadable", "may not be read by this user");
    if (code === "EISDIR") return tell("tls_unreadable", "is a directory, not a file");
    return tell("tls_unreadable", `can't be read: ${messageOf(thrown)}`);
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}
