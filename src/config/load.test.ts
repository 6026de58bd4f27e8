import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { unprivileged } from "../../test/helpers/unprivileged.ts";
import { ConfigError } from "./fault.ts";
import { FILE_BYTES_MAX, loadConfig, loadConfigFile, parseConfig } from "./load.ts";

const directory = mkdtempSync(join(tmpdir(), "streamkeeper-config-"));
after(() => rmSync(directory, { recursive: true, force: true }));
const fixtures = new URL("../../test/fixtures/config/", import.meta.url).pathname;

test("load: an empty file is the defaults", () => {
  const { config } = parseConfig("", null);
  assert.deepEqual(config.feeds, []);
  assert.equal(config.listen.host, "127.0.0.1");
  assert.equal(config.tls, null);
  assert.equal(config.auth.accessTokenTtlMs, 900_000);
  assert.deepEqual(config.limits.memory, { kind: "fraction", fraction: 0.8 });
  assert.deepEqual(parseConfig("# only a comment\n", null).config, config);
});

test("load: the whole contract is read, with plain numbers and absolute paths", () => {
  const environment = { FEED_TOKEN: "t0ken", CONNECTIONS: "1234" };
  const config = loadConfig(join(fixtures, "good.yaml"), environment);
  assert.equal(config.limits.connections, 1234);
  assert.equal(config.tls?.cert, join(fixtures, "../tls/good.crt"));
  assert.equal(config.database, `sqlite:${join(fixtures, "data/streamkeeper.db")}`);
  const [quotes, news] = config.feeds;
  assert.deepEqual(quotes, {
    name: "quotes",
    urls: ["https://feed.example.com/quotes?symbols={keys}"],
    addressing: "keys",
    topic: "/quotes/{key}",
    headers: { authorization: "Bearer t0ken", "x-plain": "a $" + "{literal}" },
    tls: {
      ca: join(fixtures, "certs/feed-ca.pem"),
      cert: join(fixtures, "certs/client.pem"),
      key: join(fixtures, "certs/client.key"),
    },
    items: "",
    key: "/symbol",
    state: "merge",
    access: "private",
    pool: { keysPerLink: 50, linksMax: 8, lingerMs: 30_000, gatherMs: 50 },
    health: {
      connectTimeoutMs: 10_000,
      idleTimeoutMs: 45_000,
      rotateAfterMs: 43_200_000,
      eventBytesMax: 1_048_576,
    },
    retry: { minMs: 250, maxMs: 30_000, resetAfterMs: 10_000 },
  });
  assert.equal(news?.addressing, "none");
  assert.equal(news?.urls.length, 2);
  assert.deepEqual(news?.pool, quotes?.pool);
});

test("load: a key with nothing behind it is as good as absent, and null is not", () => {
  assert.equal(parseConfig("listen:\n  # port: 1\ntls:\n", null).config.listen.port, 8080);
  assert.throws(() => parseConfig("listen: null\n", null), /listen: expected a mapping of .*, found null/);
});

test("load: an unquoted variable may be a number or a boolean, a quoted one is text", () => {
  const plain = "listen:\n  port: $" + "{PORT}\n  allowPlaintext: $" + "{YES}\n";
  const { config } = parseConfig(plain, null, { PORT: "9090", YES: "true" });
  assert.deepEqual([config.listen.port, config.listen.allowPlaintext], [9090, true]);
  assert.throws(() => parseConfig('listen: { port: "$' + '{PORT}" }', null, { PORT: "9090" }), /listen.port/);
});

test("load: what a variable holds is neither told in a fault nor substituted again", () => {
  const text = "listen:\n  host: $" + "{HOST}\n";
  assert.throws(
    () => parseConfig(text, "f.yaml", { HOST: "s3cret host", PORT: "1" }),
    (thrown: Error) =>
      thrown.message.includes('found what "$' + '{HOST}" stands for') && !thrown.message.includes("s3cret"),
  );
  const nested = parseConfig("auth:\n  issuer: $" + "{NAME}\n", null, { NAME: "$" + "{HOME}", HOME: "x" });
  assert.equal(nested.config.auth.issuer, "$" + "{HOME}");
});

test("load: a variable that is set to nothing counts as missing", () => {
  assert.throws(
    () => parseConfig("auth:\n  issuer: $" + "{NAME}\n", "f.yaml", { NAME: "" }),
    /f\.yaml:2:11 auth\.issuer: expected environment variable NAME to be set, found it empty/,
  );
});

test("load: without a file to be found the defaults hold, with one named it must exist", () => {
  const missing = join(directory, "missing.yaml");
  assert.throws(
    () => loadConfig(missing),
    refused("config_missing", /missing\.yaml: expected this file to exist/),
  );
  const before = process.cwd();
  process.chdir(directory);
  try {
    assert.equal(loadConfigFile(undefined).file, null);
    writeFileSync("streamkeeper.yaml", "listen: { port: 4000 }\n");
    const loaded = loadConfigFile(undefined);
    assert.deepEqual([loaded.file, loaded.config.listen.port], ["streamkeeper.yaml", 4000]);
  } finally {
    process.chdir(before);
  }
});

test("load: a directory, other bytes than text, and a file above 1 MiB are refused", () => {
  mkdirSync(join(directory, "d.yaml"));
  assert.throws(
    () => loadConfig(join(directory, "d.yaml")),
    refused("config_unreadable", /found a directory/),
  );
  writeFileSync(join(directory, "binary.yaml"), Buffer.from([0xff, 0xfe, 0x00, 0x80]));
  assert.throws(() => loadConfig(join(directory, "binary.yaml")), refused("config_invalid", /UTF-8/));
  writeFileSync(join(directory, "large.yaml"), `#${" ".repeat(FILE_BYTES_MAX)}`);
  assert.throws(() => loadConfig(join(directory, "large.yaml")), refused("config_too_large", /at most 1MiB/));
  writeFileSync(join(directory, "fits.yaml"), `#${" ".repeat(FILE_BYTES_MAX - 1)}`);
  assert.equal(loadConfig(join(directory, "fits.yaml")).listen.port, 8080);
});

test("load: a file that this user may not read is refused", () => {
  const file = join(directory, "locked.yaml");
  writeFileSync(file, "");
  chmodSync(file, 0);
  assert.throws(() => unprivileged(() => loadConfig(file)), refused("config_unreadable", /may read/));
});

test("load: a file of a thousand faults is refused in time, each with its place", () => {
  const text = Array.from({ length: 900 }, (_, index) => `key${index}: 1`).join("\n");
  assert.throws(
    () => parseConfig(text, "f.yaml"),
    (thrown: ConfigError) => thrown.faults.length === 900 && thrown.faults[899]?.line === 900,
  );
});

function refused(code: string, message: RegExp) {
  return (thrown: unknown) =>
    thrown instanceof ConfigError && thrown.code === code && message.test(thrown.message);
}
