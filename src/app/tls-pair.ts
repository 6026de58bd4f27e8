import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { CodedError, codeOf, messageOf } from "#base/errors.ts";

export type TlsErrorCode =
  | "tls_missing"
  | "tls_unreadable"
  | "tls_not_pem"
  | "tls_key_encrypted"
  | "tls_mismatch"
  | "tls_expired"
  | "tls_not_yet_valid"
  | "tls_refused";

/** What each code means, for the documentation; messages name the file and say more. */
export const TLS_ERRORS: Readonly<Record<TlsErrorCode, string>> = {
  tls_missing: "the file of the certificate or of the key does not exist",
  tls_unreadable: "the file may not be read by this user, or is no file",
  tls_not_pem: "the file is empty, damaged, or does not hold in PEM form what it should",
  tls_key_encrypted: "the private key has a passphrase; give one without, readable by this user only",
  tls_mismatch:
    "the key is not the first certificate's: another pair's, half of a renewal, or the chain is in the wrong order",
  tls_expired: "the certificate's time is over; renew it",
  tls_not_yet_valid: "the certificate's time has not come; look at the machine's clock",
  tls_refused: "the TLS library refuses the pair, such as for a key that is too short",
};

export interface TlsFault {
  readonly code: TlsErrorCode;
  readonly file: string;
  /** Names the file and says what is wrong with it. */
  readonly message: string;
}

/** A certificate or key that can't be used. Its code is the first fault's. */
export class TlsError extends CodedError<TlsErrorCode> {
  readonly faults: readonly TlsFault[];

  /** @param faults at least one */
  constructor(faults: readonly TlsFault[], options?: ErrorOptions) {
    super((faults[0] as TlsFault).code, faults.map(({ message }) => message).join("\n"), options);
    this.faults = faults;
  }
}

export interface TlsPairInput {
  /** PEM: the certificate first, its intermediates after it. */
  readonly cert: string;
  /** PEM. */
  readonly key: string;
  /** What the two are called in faults. */
  readonly files: { readonly cert: string; readonly key: string };
  /** Wall-clock time, in milliseconds since the Unix epoch. */
  readonly nowMs: number;
}

export interface TlsPair {
  readonly expiresAtMs: number;
  readonly subject: string;
  readonly names: readonly string[];
}

/**
 * Whether a certificate and a key are what they should be, belong together and are valid now. Pure.
 *
 * @throws TlsError with everything that is wrong
 */
export function checkPair({ cert, key, files, nowMs }: TlsPairInput): TlsPair {
  const faults: TlsFault[] = [];
  const chain = readChain(cert, files.cert, faults);
  const privateKey = readKey(key, files.key, faults);
  const leaf = chain[0];
  if (leaf !== undefined && privateKey !== null) matchPair(chain, privateKey, files, faults);
  if (leaf !== undefined) checkDates(leaf, files.cert, nowMs, faults);
  if (faults.length > 0 || leaf === undefined) throw new TlsError(faults);
  return {
    expiresAtMs: Date.parse(leaf.validTo),
    subject: leaf.subject?.replaceAll("\n", ", ") ?? "",
    names: (leaf.subjectAltName ?? "")
      .split(", ")
      .filter((name) => name !== "")
      .map((name) => name.replace(/^[^:]*:/, "")),
  };
}

/** What is wrong with the certificates of authorities. Pure. Dates do not matter: bundles hold old ones. */
export function authorityFaults(pem: string, file: string): TlsFault[] {
  const faults: TlsFault[] = [];
  readChain(pem, file, faults);
  return faults;
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;

function readChain(pem: string, file: string, faults: TlsFault[]): X509Certificate[] {
  const tell = (message: string) => {
    faults.push({ code: "tls_not_pem", file, message: `${file} ${message}` });
    return [];
  };
  if (pem.trim() === "") return tell("is empty");
  const blocks = [...pem.matchAll(BLOCK)];
  const certificates = blocks.filter(
    ([, label]) => label === "CERTIFICATE" || label === "TRUSTED CERTIFICATE",
  );
  if (certificates.length === 0) {
    if (blocks.some(([, label]) => label?.endsWith("PRIVATE KEY")))
      return tell("holds a private key where the certificate should be");
    return tell("holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)");
  }
  try {
    return certificates.map(([block]) => new X509Certificate(block));
  } catch (thrown) {
    return tell(`holds a damaged certificate: ${messageOf(thrown)}`);
  }
}

function readKey(pem: string, file: string, faults: TlsFault[]): KeyObject | null {
  const tell = (code: TlsErrorCode, message: string) => {
    faults.push({ code, file, message: `${file} ${message}` });
    return null;
  };
  if (pem.trim() === "") return tell("tls_not_pem", "is empty");
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem)) {
    if (pem.includes("-----BEGIN CERTIFICATE-----"))
      return tell("tls_not_pem", "holds a certificate where the private key should be");
    return tell("tls_not_pem", "holds no private key in PEM form (-----BEGIN PRIVATE KEY-----)");
  }
  const encrypted = "is encrypted; give a key without a passphrase, in a file that only this user may read";
  if (/-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m.test(pem))
    return tell("tls_key_encrypted", encrypted);
  try {
    return createPrivateKey(pem);
  } catch (thrown) {
    if (codeOf(thrown) === "ERR_MISSING_PASSPHRASE") return tell("tls_key_encrypted", encrypted);
    return tell("tls_not_pem", `holds a damaged private key: ${messageOf(thrown)}`);
  }
}

function matchPair(
  chain: readonly X509Certificate[],
  key: KeyObject,
  files: TlsPairInput["files"],
  faults: TlsFault[],
): void {
  const at = chain.findIndex((certificate) => certificate.checkPrivateKey(key));
  if (at === 0) return;
  const message =
    at > 0
      ? `${files.cert} has its certificates in the wrong order: the one of ${files.key} must come first`
      : `${files.cert} and ${files.key} don't belong together: the key is another one's`;
  faults.push({ code: "tls_mismatch", file: files.cert, message });
}

/** The first certificate's only: chains with an expired one that clients no longer need are in use. */
function checkDates(
  { validFrom, validTo }: X509Certificate,
  file: string,
  nowMs: number,
  faults: TlsFault[],
): void {
  const [fromMs, toMs] = [Date.parse(validFrom), Date.parse(validTo)];
  if (toMs <= nowMs) {
    faults.push({ code: "tls_expired", file, message: `${file} expired on ${day(toMs)}` });
  } else if (fromMs > nowMs) {
    const message = `${file} is not valid before ${day(fromMs)}; is this machine's clock right?`;
    faults.push({ code: "tls_not_yet_valid", file, message });
  }
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16).replace("T", " ").concat(" UTC");
}
