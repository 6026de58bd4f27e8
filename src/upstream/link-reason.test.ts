import assert from "node:assert/strict";
import { describe, test } from "node:test";
import {
  type DialPhase,
  errorReason,
  http2Reason,
  LINK_REASONS,
  LinkReason,
  statusReason,
  TIMEOUT_REASONS,
} from "./link-reason.ts";

const withCode = (code: string) => Object.assign(new Error("x"), { code });

describe("link reason", () => {
  for (const [code, reason] of [
    ["ECONNRESET", "reset"],
    ["EPIPE", "reset"],
    ["ECONNREFUSED", "refused"],
    ["EHOSTUNREACH", "unreachable"],
    ["ENOTFOUND", "dns_not_found"],
    ["EAI_AGAIN", "dns_failed"],
    ["EAI_FAIL", "dns_failed"],
    ["ESERVFAIL", "dns_failed"],
    ["ETIMEDOUT", "timeout_network"],
    ["EMFILE", "out_of_resources"],
    ["CERT_HAS_EXPIRED", "tls_expired"],
    ["CERT_NOT_YET_VALID", "tls_not_yet_valid"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "tls_name_mismatch"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "tls_self_signed"],
    ["SELF_SIGNED_CERT_IN_CHAIN", "tls_untrusted"],
    ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "tls_client_certificate"],
    ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "tls_client_certificate"],
    ["ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE", "tls_client_certificate"],
    ["ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE", "tls_handshake"],
    ["ERR_HTTP2_ERROR", "protocol"],
    ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "tls_untrusted"],
    ["CERT_REVOKED", "tls_revoked"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "tls_handshake"],
    ["ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION", "tls_handshake"],
    ["EPROTO", "tls_handshake"],
    ["UND_ERR_SOCKET", "truncated"],
    ["HPE_INVALID_CHUNK_SIZE", "protocol"],
    ["HPE_INVALID_EOF_STATE", "truncated"],
    ["UND_ERR_HEADERS_OVERFLOW", "headers_too_large"],
    ["ESOMETHINGNEW", "internal"],
  ] as const) {
    test(`link reason: ${code} is ${reason}`, () => {
      assert.equal(errorReason(withCode(code), "open"), reason);
      assert.equal(errorReason(new Error("wrapped", { cause: withCode(code) }), "open"), reason);
      assert.equal(errorReason(new AggregateError([withCode(code)]), "connect"), reason);
    });
  }

  test("link reason: each error code of HTTP/2 has its own, unknown ones too", () => {
    const expected = ["protocol", "protocol", "stream_reset", "protocol", "protocol", "protocol", "protocol"];
    expected.push("stream_refused", "stream_reset", "protocol", "stream_reset", "busy", "tls_handshake");
    expected.push("protocol", "protocol");
    assert.deepEqual(
      expected.map((_, code) => http2Reason(code)),
      expected,
    );
  });

  test("link reason: a reset during the TLS handshake is a failed handshake", () => {
    assert.equal(errorReason(withCode("ECONNRESET"), "tls"), "tls_handshake");
  });

  test("link reason: what is no error at all is internal", () => {
    for (const thrown of [null, undefined, "text", {}, new Error("x")])
      assert.equal(errorReason(thrown, "open"), "internal");
  });

  test("link reason: each status has its own", () => {
    const expected: Record<string, number[]> = {
      no_content: [204],
      unauthorized: [401, 407],
      forbidden: [403],
      busy: [408, 425, 429],
      client_error: [400, 404, 410, 418, 451],
      server_error: [500, 502, 503, 504, 599],
      unexpected_status: [201, 205, 206, 299, 304, 399],
    };
    assert.equal(statusReason(200), null);
    for (const [reason, statuses] of Object.entries(expected)) {
      for (const status of statuses) assert.equal(statusReason(status), reason, String(status));
    }
  });

  test("link reason: each has a meaning, each phase a time-out", () => {
    assert.deepEqual(Object.keys(LINK_REASONS).sort(), Object.values(LinkReason).sort());
    for (const { meaning } of Object.values(LINK_REASONS)) assert.ok(meaning.length > 10);
    const byPhase: Readonly<Record<DialPhase, string>> = {
      dns: "timeout_dns",
      connect: "timeout_connect",
      tls: "timeout_tls",
      headers: "timeout_headers",
    };
    assert.deepEqual(TIMEOUT_REASONS, byPhase);
  });
});
