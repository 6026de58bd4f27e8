import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { tlsFixture } from "../../test/helpers/http2-feed.ts";
import { loadFeedTls } from "./feed-tls.ts";
import { TlsError } from "./tls-pair.ts";

const NOW_MS = Date.parse("2026-01-01");
const fixture = (name: string) => fileURLToPath(new URL(`../../test/fixtures/tls/${name}`, import.meta.url));

describe("feed TLS", () => {
  test("feed TLS: authorities and client certificate are read", () => {
    const files = { ca: fixture("ca.crt"), cert: fixture("good.crt"), key: fixture("good.key") };
    assert.deepEqual(loadFeedTls(files, NOW_MS), {
      ca: tlsFixture("ca.crt"),
      client: { cert: tlsFixture("good.crt"), key: tlsFixture("good.key") },
    });
    assert.deepEqual(loadFeedTls({ ca: null, cert: null, key: null }, NOW_MS), { ca: null, client: null });
  });

  for (const [ca, cert, key, codes] of [
    ["absent.crt", "good.crt", "good.key", ["tls_missing"]],
    ["good.key", "good.crt", "good.key", ["tls_not_pem"]],
    ["ca.crt", "good.crt", "next.key", ["tls_mismatch"]],
    ["ca.crt", "expired.crt", "expired.key", ["tls_expired"]],
    ["absent.crt", "good.crt", "encrypted.key", ["tls_missing", "tls_key_encrypted"]],
  ] as const) {
    test(`feed TLS: ${ca}, ${cert} and ${key} are refused by name (${codes})`, () => {
      const files = { ca: fixture(ca), cert: fixture(cert), key: fixture(key) };
      assert.throws(
        () => loadFeedTls(files, NOW_MS),
        (error) => {
          assert.ok(error instanceof TlsError);
          assert.deepEqual(
            error.faults.map((fault) => fault.code),
            codes,
          );
          for (const { file, message } of error.faults) assert.ok(message.includes(file));
          return true;
        },
      );
    });
  }
});
