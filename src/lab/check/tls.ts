import { isIP } from "node:net";
import { connect, type DetailedPeerCertificate, type TLSSocket } from "node:tls";
import type { Clock } from "#base/clock.ts";
import { codeOf, messageOf } from "#base/errors.ts";
import { explainConnectError } from "./network.ts";
import { type Finding, StepFailure, StepSkipped, within } from "./step.ts";
import type { CheckTarget } from "./target.ts";

const DAY_MS = 86_400_000;
/** With fewer days than these left, renewal is late: certificates are renewed a third of their life before their end. */
const DAYS_LEFT_LOW = 14;
const CHAIN_LENGTH_MAX = 10;

/** Chain, name and days to expiry of the certificate that clients will be shown. */
export async function checkTls(target: CheckTarget, clock: Clock, signal: AbortSignal): Promise<Finding> {
  if (!target.secure)
    throw new StepSkipped("the URL is http: nothing is encrypted, passwords and tokens included");
  const socket = connect({
    host: target.host,
    port: target.port,
    ALPNProtocols: ["http/1.1"],
    // Looked at below, since a bad certificate's own data is what the operator needs to see.
    rejectUnauthorized: false,
    ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
    ...(target.ca === undefined ? {} : { ca: [...target.ca] }),
  });
  try {
    await within(signal, handshake(socket));
    const certificate = socket.getPeerCertificate(true);
    const daysLeft = Math.floor((Date.parse(certificate.valid_to) - clock.nowMs()) / DAY_MS);
    const shown = describe(socket, certificate, daysLeft);
    // A code as text, whatever its type says (Node's lib/internal/tls/wrap.js).
    const fault: unknown = socket.authorizationError;
    if (fault) throw explainCertificate(fault, target, certificate, shown);
    if (daysLeft >= DAYS_LEFT_LOW) return { detail: shown };
    return { detail: shown, advice: `Renew the certificate: it expires in ${daysLeft} days.` };
  } catch (thrown) {
    if (thrown instanceof StepFailure) throw thrown;
    throw explainHandshake(thrown, target);
  } finally {
    socket.destroy();
  }
}

function handshake(socket: TLSSocket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("secureConnect", resolve);
    socket.on("error", reject);
    socket.once("close", () => reject(new Error("closed before the handshake was over")));
  });
}

function describe(socket: TLSSocket, certificate: DetailedPeerCertificate, daysLeft: number): string {
  const names = certificate.subjectaltname?.replace(/\b(DNS|IP Address):/g, "") ?? certificate.subject?.CN;
  const chain = chainOf(certificate).map(({ subject }) => oneOf(subject?.CN) ?? oneOf(subject?.O) ?? "?");
  const last = certificate.issuer?.CN ?? certificate.issuer?.O ?? "?";
  const days = daysLeft < 0 ? `expired ${-daysLeft} days ago` : `expires in ${daysLeft} days`;
  return `${socket.getProtocol()}, for ${names}, ${days}, chain: ${chain.join(" ← ")}${chain.length === 1 ? `, signed by ${last}` : ""}`;
}

function chainOf(leaf: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const chain = [leaf];
  for (
    let next = leaf.issuerCertificate;
    next !== undefined && chain.length < CHAIN_LENGTH_MAX;
    next = next.issuerCertificate
  ) {
    if (next.fingerprint256 === chain.at(-1)?.fingerprint256) break;
    chain.push(next);
  }
  return chain;
}

function oneOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function explainCertificate(
  fault: unknown,
  target: CheckTarget,
  certificate: DetailedPeerCertificate,
  shown: string,
): StepFailure {
  const code = codeOf(fault) ?? String(fault);
  const fail = (why: string, advice: string) =>
    new StepFailure(`${why} (${shown})`, advice, { cause: fault });
  switch (code) {
    case "CERT_HAS_EXPIRED":
      return fail(
        `the certificate expired on ${certificate.valid_to}`,
        "Renew it; the gateway takes the new files on SIGHUP.",
      );
    case "CERT_NOT_YET_VALID":
      return fail(
        `the certificate is valid only from ${certificate.valid_from}`,
        "Check the clocks of this machine and the gateway's.",
      );
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return fail(
        `the certificate is not for ${target.host}`,
        "Use the name that the certificate is for in --url, or have one made for this name.",
      );
    case "DEPTH_ZERO_SELF_SIGNED_CERT":
    case "SELF_SIGNED_CERT_IN_CHAIN":
      return fail(
        "the certificate is signed by nobody that this machine trusts",
        "If it is your own, give its CA with --ca FILE.",
      );
    case "UNABLE_TO_VERIFY_LEAF_SIGNATURE":
    case "UNABLE_TO_GET_ISSUER_CERT":
    case "UNABLE_TO_GET_ISSUER_CERT_LOCALLY":
      return fail(
        "the chain is incomplete",
        "Have the server send its intermediate certificates (tls.cert: the full chain), or give a private CA with --ca FILE.",
      );
    default:
      return fail(
        `the certificate is not accepted: ${code}`,
        "Look the code up in OpenSSL's list of verification errors.",
      );
  }
}

function explainHandshake(thrown: unknown, target: CheckTarget): unknown {
  const code = codeOf(thrown) ?? "";
  if (
    code === "ERR_SSL_WRONG_VERSION_NUMBER" ||
    code === "ERR_SSL_PACKET_LENGTH_TOO_LONG" ||
    code === "ERR_SSL_HTTP_REQUEST"
  ) {
    return new StepFailure(
      "the port does not speak TLS",
      "Use http:// in --url, or set tls in the gateway's configuration.",
    );
  }
  if (code.startsWith("ERR_SSL_") || code === "EPROTO") {
    return new StepFailure(
      `the TLS handshake failed: ${messageOf(thrown)}`,
      "The server and this program share no protocol version or cipher: it must offer TLS 1.2 or newer.",
    );
  }
  if (code === "")
    return new StepFailure(
      `the TLS handshake failed: ${messageOf(thrown)}`,
      "Is this the port of a TLS listener?",
    );
  return explainConnectError(thrown, target);
}
