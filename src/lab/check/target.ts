import { readFileSync } from "node:fs";
import { getCACertificates } from "node:tls";
import { CodedError, messageOf } from "#base/errors.ts";

/** Bad usage: the command line can't be acted on. */
export class CheckUsageError extends CodedError<"bad_url" | "bad_ca"> {}

/** Where the gateway is, taken apart once. */
export interface CheckTarget {
  readonly secure: boolean;
  /** Name or address, an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Certificates that are trusted; undefined: those that Node trusts by itself. */
  readonly ca: readonly string[] | undefined;
  /** The URL of a path of the gateway, which may stand below a path of a proxy. */
  url(path: string): URL;
}

/**
 * @param ca a PEM file of certificates to trust beside the usual ones
 * @throws CheckUsageError
 */
export function parseTarget(url: string, ca?: string): CheckTarget {
  const base = URL.parse(url);
  if (base === null || !["http:", "https:"].includes(base.protocol)) {
    throw new CheckUsageError(
      "bad_url",
      `--url must be an http:// or https:// URL, such as https://events.example.com`,
    );
  }
  if (base.username !== "" || base.password !== "" || base.search !== "" || base.hash !== "") {
    throw new CheckUsageError(
      "bad_url",
      "--url must hold no user, password, query or fragment; use --user to sign in",
    );
  }
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const secure = base.protocol === "https:";
  return {
    secure,
    host: base.hostname.replace(/^\[|\]$/g, ""),
    port: base.port === "" ? (secure ? 443 : 80) : Number(base.port),
    ca: ca === undefined ? undefined : [...getCACertificates("default"), readCa(ca)],
    url: (path) => new URL(path.replace(/^\//, ""), base),
  };
}

function readCa(file: string): string {
  let pem: string;
  try {
    pem = readFileSync(file, "utf8");
  } catch (thrown) {
    throw new CheckUsageError("bad_ca", `--ca ${file} can't be read: ${messageOf(thrown)}`);
  }
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new CheckUsageError("bad_ca", `--ca ${file} holds no PEM certificate`);
  }
  return pem;
}
