import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { connect, createServer } from "node:tls";
import { unprivileged } from "../../test/helpers/unprivileged.ts";
import { loadTls } from "./tls.ts";
import { checkPair, TlsError, type TlsErrorCode } from "./tls-pair.ts";

const NOW_MS = Date.UTC(2026, 5, 1);
const fixtures = new URL("../../test/fixtures/tls/", import.meta.url).pathname;
const at = (name: string) => join(fixtures, name);
const good = { cert: at("good.crt"), key: at("good.key") };
const directory = mkdtempSync(join(tmpdir(), "streamkeeper-tls-"));
after(() => rmSync(directory, { recursive: true, force: true }));

test("TLS: a good pair tells its subject, names and the day it expires", () => {
  const loaded = loadTls(good, NOW_MS);
  assert.equal(loaded.subject, "CN=localhost");
  assert.deepEqual(loaded.names, ["localhost", "127.0.0.1", "0:0:0:0:0:0:0:1"]);
  assert.ok(loaded.expiresAtMs > NOW_MS && loaded.expiresAtMs <= Date.UTC(2120, 0, 1));
});

test("TLS: a server with the pair is trusted by a client with its CA, and refuses TLS 1.1", async () => {
  const server = createServer(loadTls(good, NOW_MS).context, (socket) => socket.end("hello")).listen(
    0,
    "127.0.0.1",
  );
  server.on("tlsClientError", () => {});
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const options = { port, host: "127.0.0.1", ca: readFileSync(at("ca.crt")) };
  try {
    const socket = connect(options);
    const [data] = await once(socket, "data");
    assert.equal(String(data), "hello");
    assert.ok(socket.authorized);
    socket.destroy();
    const old = connect({
      ...options,
      minVersion: "TLSv1",
      maxVersion: "TLSv1.1",
      ciphers: "ALL@SECLEVEL=0",
    });
    const [error] = await once(old, "error");
    assert.match(String(error), /protocol/i);
  } finally {
    server.close();
  }
});

const refusals: readonly [string, { cert: string; key: string }, readonly TlsErrorCode[], RegExp][] = [
  ["a missing certificate", { ...good, cert: at("none.crt") }, ["tls_missing"], /none\.crt does not exist/],
  [
    "a missing pair",
    { cert: at("none.crt"), key: at("none.key") },
    ["tls_missing", "tls_missing"],
    /none\.crt does not exist\n.*none\.key does not exist/,
  ],
  ["a directory", { ...good, key: fixtures }, ["tls_unreadable"], /is a directory/],
  [
    "a key where the certificate should be",
    { ...good, cert: good.key },
    ["tls_not_pem"],
    /holds a private key where/,
  ],
  [
    "a certificate where the key should be",
    { ...good, key: good.cert },
    ["tls_not_pem"],
    /holds a certificate where/,
  ],
  [
    "a mismatched pair",
    { ...good, key: at("next.key") },
    ["tls_mismatch"],
    /good\.crt and .*next\.key don't belong together/,
  ],
  [
    "a chain in the wrong order",
    { ...good, cert: at("reversed.crt") },
    ["tls_mismatch"],
    /reversed\.crt has its certificates in the wrong order/,
  ],
  [
    "an expired certificate",
    { cert: at("expired.crt"), key: at("expired.key") },
    ["tls_expired"],
    /expired\.crt expired on 2021-01-01 00:00 UTC/,
  ],
  [
    "one not valid yet",
    { cert: at("future.crt"), key: at("future.key") },
    ["tls_not_yet_valid"],
    /not valid before 2120-01-01/,
  ],
  [
    "an encrypted key",
    { ...good, key: at("encrypted.key") },
    ["tls_key_encrypted"],
    /encrypted\.key is encrypted/,
  ],
  [
    "a weak key",
    { cert: at("weak.crt"), key: at("weak.key") },
    ["tls_refused"],
    /weak\.crt is refused .*key too small/,
  ],
];

for (const [what, files, codes, message] of refusals) {
  test(`TLS: ${what} is refused, with the file's name`, () => {
    const error = refusal(() => loadTls(files, NOW_MS));
    assert.deepEqual(
      error.faults.map(({ code }) => code),
      codes,
    );
    assert.match(error.message, message);
    assert.equal(error.code, codes[0]);
  });
}

test("TLS: empty, damaged and oversized files are refused", () => {
  const cert = readFileSync(good.cert, "utf8");
  const key = readFileSync(good.key, "utf8");
  const check = (change: { cert?: string; key?: string }) =>
    refusal(() => checkPair({ cert, key, ...change, files: { cert: "c.pem", key: "k.pem" }, nowMs: NOW_MS }))
      .message;
  assert.match(check({ cert: "" }), /^c\.pem is empty$/);
  assert.match(check({ key: "\n" }), /^k\.pem is empty$/);
  assert.match(check({ cert: "hello" }), /^c\.pem holds no certificate/);
  assert.match(check({ key: "hello" }), /^k\.pem holds no private key/);
  assert.match(check({ cert: cert.replace(/MII.{40}/, "MIIA") }), /^c\.pem holds a damaged certificate/);
  assert.match(check({ key: key.slice(0, 60) }), /^k\.pem holds a damaged private key/);
  assert.match(check({ cert: "", key: "" }), /^c\.pem is empty\nk\.pem is empty$/);
  const large = join(directory, "large.pem");
  writeFileSync(large, "x".repeat(300_000));
  assert.match(refusal(() => loadTls({ ...good, cert: large }, NOW_MS)).message, /larger than 256 KiB/);
});

test("TLS: a file that this user may not read is refused", () => {
  const locked = join(directory, "locked.key");
  writeFileSync(locked, "");
  chmodSync(locked, 0);
  assert.equal(
    refusal(() => unprivileged(() => loadTls({ ...good, key: locked }, NOW_MS))).code,
    "tls_unreadable",
  );
});

test("TLS: no message holds anything of the key", () => {
  const secret = readFileSync(good.key, "utf8").split("\n")[1] as string;
  for (const [, files] of refusals)
    assert.ok(!refusal(() => loadTls(files, NOW_MS)).message.includes(secret));
});

function refusal(run: () => unknown): TlsError {
  try {
    run();
  } catch (thrown) {
    assert.ok(thrown instanceof TlsError, String(thrown));
    return thrown;
  }
  return assert.fail("it was accepted");
}
