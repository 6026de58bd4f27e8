import { codeOf } from "#base/errors.ts";

/** Every way in which a link, or an attempt to open one, ends. Each is documented by its entry in `LINK_REASONS`. */
export const LinkReason = {
  ended: "ended",
  truncated: "truncated",
  reset: "reset",
  refused: "refused",
  unreachable: "unreachable",
  dns_not_found: "dns_not_found",
  dns_failed: "dns_failed",
  tls_expired: "tls_expired",
  tls_not_yet_valid: "tls_not_yet_valid",
  tls_name_mismatch: "tls_name_mismatch",
  tls_self_signed: "tls_self_signed",
  tls_untrusted: "tls_untrusted",
  tls_revoked: "tls_revoked",
  tls_client_certificate: "tls_client_certificate",
  tls_handshake: "tls_handshake",
  timeout_dns: "timeout_dns",
  timeout_connect: "timeout_connect",
  timeout_tls: "timeout_tls",
  timeout_headers: "timeout_headers",
  timeout_network: "timeout_network",
  idle_timeout: "idle_timeout",
  ping_timeout: "ping_timeout",
  stream_reset: "stream_reset",
  stream_refused: "stream_refused",
  protocol: "protocol",
  redirect: "redirect",
  no_content: "no_content",
  unauthorized: "unauthorized",
  forbidden: "forbidden",
  client_error: "client_error",
  busy: "busy",
  server_error: "server_error",
  unexpected_status: "unexpected_status",
  content_type: "content_type",
  content_encoding: "content_encoding",
  event_too_large: "event_too_large",
  headers_too_large: "headers_too_large",
  out_of_resources: "out_of_resources",
  internal: "internal",
  replaced: "replaced",
  unwanted: "unwanted",
  closed: "closed",
} as const;
export type LinkReason = (typeof LinkReason)[keyof typeof LinkReason];

/**
 * What follows from a reason. `retry`: again with backoff, for ever. `reject`: the feed, or our configuration of it,
 * says no; again at the slowest pace. `end`: the feed wants no reconnection. `own`: we ended it, nothing follows.
 */
export type LinkVerdict = "retry" | "reject" | "end" | "own";

export interface LinkReasonInfo {
  readonly verdict: LinkVerdict;
  readonly meaning: string;
}

export const LINK_REASONS: Readonly<Record<LinkReason, LinkReasonInfo>> = {
  ended: { verdict: "retry", meaning: "the feed ended the stream in an orderly way" },
  truncated: { verdict: "retry", meaning: "the connection was closed in the middle of the response" },
  reset: { verdict: "retry", meaning: "the connection was reset (ECONNRESET, EPIPE, ECONNABORTED)" },
  refused: { verdict: "retry", meaning: "nothing listens at the feed's address and port" },
  unreachable: { verdict: "retry", meaning: "no route to the feed's host or network" },
  dns_not_found: { verdict: "retry", meaning: "the feed's host name does not exist" },
  dns_failed: { verdict: "retry", meaning: "the name servers did not answer, or failed" },
  tls_expired: { verdict: "retry", meaning: "the feed's certificate, or one of its issuers', has expired" },
  tls_not_yet_valid: {
    verdict: "retry",
    meaning: "the feed's certificate is not valid yet; check both clocks",
  },
  tls_name_mismatch: { verdict: "retry", meaning: "the feed's certificate is for another host name" },
  tls_self_signed: {
    verdict: "retry",
    meaning: "the feed's certificate is signed by itself; if it is the right one, name it in `tls.ca`",
  },
  tls_untrusted: {
    verdict: "retry",
    meaning: "the issuer of the feed's certificate is not known here, or the chain is broken: see `tls.ca`",
  },
  tls_revoked: { verdict: "retry", meaning: "the feed's certificate is revoked" },
  tls_client_certificate: {
    verdict: "retry",
    meaning: "the feed wants a client certificate, or refuses ours: check `tls.cert` and `tls.key`",
  },
  tls_handshake: {
    verdict: "retry",
    meaning: "no TLS version, cipher or certificate in common, or not TLS at all",
  },
  timeout_dns: {
    verdict: "retry",
    meaning: "`health.connectTimeout` passed while the host name was looked up",
  },
  timeout_connect: { verdict: "retry", meaning: "`health.connectTimeout` passed before TCP was connected" },
  timeout_tls: { verdict: "retry", meaning: "`health.connectTimeout` passed during the TLS handshake" },
  timeout_headers: {
    verdict: "retry",
    meaning: "`health.connectTimeout` passed before the response's headers came",
  },
  timeout_network: { verdict: "retry", meaning: "the operating system gave the connection up (ETIMEDOUT)" },
  idle_timeout: {
    verdict: "retry",
    meaning: "no byte, comments included, for `health.idleTimeout`: the connection is taken for half-open",
  },
  ping_timeout: {
    verdict: "retry",
    meaning: "an HTTP/2 session was silent and did not answer a PING in time; all its links end with it",
  },
  stream_reset: {
    verdict: "retry",
    meaning: "the feed cancelled the HTTP/2 stream or session (CANCEL, INTERNAL_ERROR, CONNECT_ERROR)",
  },
  stream_refused: {
    verdict: "retry",
    meaning: "the feed takes no more HTTP/2 streams (REFUSED_STREAM, a limit of 0, GOAWAY again and again)",
  },
  protocol: { verdict: "retry", meaning: "the answer was not HTTP as it should be" },
  redirect: {
    verdict: "reject",
    meaning:
      "a redirect without a usable location, to another scheme than HTTP(S), from HTTPS to HTTP, or too many",
  },
  no_content: { verdict: "end", meaning: "the feed answered 204: it wants no reconnection until asked anew" },
  unauthorized: { verdict: "reject", meaning: "the feed answered 401 or 407: check `headers`" },
  forbidden: { verdict: "reject", meaning: "the feed answered 403" },
  client_error: { verdict: "reject", meaning: "the feed answered another 4xx: check `url`" },
  busy: {
    verdict: "retry",
    meaning: "the feed answered 408, 425 or 429, or ENHANCE_YOUR_CALM: too early or too much",
  },
  server_error: { verdict: "retry", meaning: "the feed, or a proxy before it, answered 5xx" },
  unexpected_status: {
    verdict: "reject",
    meaning: "the feed answered a status that an event stream can't have",
  },
  content_type: { verdict: "reject", meaning: "the answer is not `text/event-stream`: check `url`" },
  content_encoding: { verdict: "reject", meaning: "the answer is compressed, which was not asked for" },
  event_too_large: { verdict: "retry", meaning: "a line or an event was longer than `health.eventBytesMax`" },
  headers_too_large: { verdict: "retry", meaning: "the response's headers were larger than allowed" },
  out_of_resources: {
    verdict: "retry",
    meaning: "this machine has no file descriptor, port, buffer or memory left for a connection",
  },
  internal: { verdict: "retry", meaning: "a fault of the gateway, or an error that it does not know" },
  replaced: { verdict: "own", meaning: "another link has taken over its keys" },
  unwanted: { verdict: "own", meaning: "nobody wants its keys any more" },
  closed: { verdict: "own", meaning: "the feed was closed by the gateway" },
};

/** How far an attempt has come; each has a time-out reason of its own. */
export type DialPhase = "dns" | "connect" | "tls" | "headers";

export const TIMEOUT_REASONS: Readonly<Record<DialPhase, LinkReason>> = {
  dns: "timeout_dns",
  connect: "timeout_connect",
  tls: "timeout_tls",
  headers: "timeout_headers",
};

/**
 * The reason that a response's status gives, or null for 200. The WHATWG standard gives up for good on every other
 * status; a gateway must not.
 */
export function statusReason(status: number): LinkReason | null {
  if (status === 200) return null;
  if (status === 204) return "no_content";
  if (status === 401 || status === 407) return "unauthorized";
  if (status === 403) return "forbidden";
  if (status === 408 || status === 425 || status === 429) return "busy";
  if (status >= 500) return "server_error";
  return status >= 400 ? "client_error" : "unexpected_status";
}

/**
 * The reason that an error code of HTTP/2 stands for (RFC 9113, section 7), of RST_STREAM or GOAWAY. NO_ERROR comes here
 * only where it makes no sense, so that it is a fault like the others that are not listed.
 */
export function http2Reason(code: number): LinkReason {
  return REASON_BY_HTTP2_CODE.get(code) ?? "protocol";
}

/**
 * The reason that an error of Node, OpenSSL or undici stands for. `phase` tells a reset in the TLS handshake from
 * one in the stream: the former is mostly a server that speaks no TLS, or none of ours.
 */
export function errorReason(error: unknown, phase: DialPhase | "open"): LinkReason {
  const code = codeOf(error);
  if (code === undefined) {
    // undici gives its parser's errors a code only where it finds one.
    const isParserError = error instanceof Error && error.name === "HTTPParserError";
    if (!isParserError) return causeReason(error, phase) ?? "internal";
    return error.message.includes("Invalid EOF state") ? "truncated" : "protocol";
  }
  const known = REASON_BY_CODE.get(code);
  if (known !== undefined) return known === "reset" && phase === "tls" ? "tls_handshake" : known;
  if (code.startsWith("HPE_")) return "protocol";
  // The peer's alerts about our certificate, with TLS 1.3 after the handshake (RFC 8446, 6.2).
  if (CLIENT_CERTIFICATE_ALERT.test(code)) return "tls_client_certificate";
  if (code.startsWith("ERR_SSL_") || code.startsWith("ERR_TLS_")) return "tls_handshake";
  if (code.startsWith("EAI_") || DNS_CODES.has(code)) return "dns_failed";
  return causeReason(error, phase) ?? "internal";
}

function causeReason(error: unknown, phase: DialPhase | "open"): LinkReason | null {
  if (error instanceof AggregateError && error.errors.length > 0) return errorReason(error.errors[0], phase);
  return error instanceof Error && error.cause instanceof Error ? errorReason(error.cause, phase) : null;
}

const REASON_BY_CODE: ReadonlyMap<string, LinkReason> = new Map([
  ["ECONNRESET", "reset"],
  ["EPIPE", "reset"],
  ["ECONNABORTED", "reset"],
  ["ERR_STREAM_PREMATURE_CLOSE", "truncated"],
  // undici: the peer closed before the response was complete.
  ["UND_ERR_SOCKET", "truncated"],
  ["UND_ERR_RES_CONTENT_LENGTH_MISMATCH", "truncated"],
  ["HPE_INVALID_EOF_STATE", "truncated"],
  ["UND_ERR_HEADERS_OVERFLOW", "headers_too_large"],
  ["HPE_HEADER_OVERFLOW", "headers_too_large"],
  ["ECONNREFUSED", "refused"],
  ["EHOSTUNREACH", "unreachable"],
  ["ENETUNREACH", "unreachable"],
  ["EHOSTDOWN", "unreachable"],
  ["ENETDOWN", "unreachable"],
  ["EACCES", "unreachable"],
  ["EPERM", "unreachable"],
  ["ENOTFOUND", "dns_not_found"],
  ["EAI_AGAIN", "dns_failed"],
  ["ETIMEDOUT", "timeout_network"],
  ["UND_ERR_CONNECT_TIMEOUT", "timeout_connect"],
  ["UND_ERR_HEADERS_TIMEOUT", "timeout_headers"],
  ["EMFILE", "out_of_resources"],
  ["ENFILE", "out_of_resources"],
  ["ENOBUFS", "out_of_resources"],
  ["ENOMEM", "out_of_resources"],
  ["EADDRNOTAVAIL", "out_of_resources"],
  // nghttp2: frames that are none, or come when they must not.
  ["ERR_HTTP2_ERROR", "protocol"],
  ["EPROTO", "tls_handshake"],
  ["CERT_HAS_EXPIRED", "tls_expired"],
  ["CERT_NOT_YET_VALID", "tls_not_yet_valid"],
  ["CERT_REVOKED", "tls_revoked"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "tls_name_mismatch"],
  ["HOSTNAME_MISMATCH", "tls_name_mismatch"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls_self_signed"],
  ["SELF_SIGNED_CERT_IN_CHAIN", "tls_untrusted"],
  ["UNABLE_TO_GET_ISSUER_CERT", "tls_untrusted"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "tls_untrusted"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls_untrusted"],
  ["CERT_UNTRUSTED", "tls_untrusted"],
  ["CERT_REJECTED", "tls_untrusted"],
  ["CERT_SIGNATURE_FAILURE", "tls_untrusted"],
  ["CERT_CHAIN_TOO_LONG", "tls_untrusted"],
  ["INVALID_CA", "tls_untrusted"],
  ["INVALID_PURPOSE", "tls_untrusted"],
  ["PATH_LENGTH_EXCEEDED", "tls_untrusted"],
]);

const CLIENT_CERTIFICATE_ALERT =
  /^ERR_SSL_\w*ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(REVOKED|EXPIRED|UNKNOWN)|UNKNOWN_CA)$/;

const REASON_BY_HTTP2_CODE: ReadonlyMap<number, LinkReason> = new Map([
  [0x2, "stream_reset"], // INTERNAL_ERROR
  [0x7, "stream_refused"], // REFUSED_STREAM
  [0x8, "stream_reset"], // CANCEL
  [0xa, "stream_reset"], // CONNECT_ERROR
  [0xb, "busy"], // ENHANCE_YOUR_CALM
  [0xc, "tls_handshake"], // INADEQUATE_SECURITY
]);

/** The resolver's codes that begin otherwise (`dns` module of Node). */
const DNS_CODES: ReadonlySet<string> = new Set(["ESERVFAIL", "ENODATA", "EREFUSED", "ENONAME", "EBADRESP"]);
