import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Client } from "pg";
import { Agent, request } from "undici";
import { Gateway } from "#app/gateway.ts";
import { silentLogger } from "#base/logger.ts";
import { parseConfig } from "#config/load.ts";
import { gatewayYaml, openGateway } from "../helpers/gateway.ts";
import { scrape, sumOf } from "../helpers/metrics-page.ts";
import { required } from "../helpers/required.ts";

const TLS = new URL("../fixtures/tls/", import.meta.url).pathname;
const POSTGRES_URL = process.env.STREAMKEEPER_TEST_POSTGRES;

test("metrics' truth: the certificate's end is that of the certificate", async () => {
  await using gateway = await openGateway(`tls: { cert: ${TLS}good.crt, key: ${TLS}good.key }`);
  const connect = { ca: readFileSync(`${TLS}ca.crt`), servername: "localhost" };
  const dispatcher = new Agent({ connect });
  const text = await (await request(`${gateway.url}/metrics`, { dispatcher })).body.text();
  await dispatcher.close();
  const { validTo } = new X509Certificate(readFileSync(`${TLS}good.crt`));
  const told = /^streamkeeper_tls_certificate_expiry_timestamp_seconds (\S+)$/m.exec(text)?.[1];
  assert.equal(Number(told), Date.parse(validTo) / 1000);
});

test("metrics' truth: the log's files are as large as they are, and nothing is behind once all is written", async () => {
  const directory = mkdtempSync(join(tmpdir(), "streamkeeper-truth-"));
  try {
    await using gateway = await openGateway(`log: { persist: ${directory} }`);
    for (let n = 0; n < 50; n++) gateway.hub.publish({ topics: ["/chat/1"], data: "x".repeat(1000) });
    const behind = async () => sumOf(await scrape(gateway.url), "streamkeeper_log_disk_behind_events");
    let left = await behind();
    while (left > 0) left = await behind();
    const page = await scrape(gateway.url);
    const segments = readdirSync(directory).filter((name) => /\.events$/.test(name));
    const bytes = segments.reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
    assert.ok(bytes > 50_000, readdirSync(directory).join(" "));
    assert.equal(sumOf(page, "streamkeeper_log_disk_bytes"), bytes);
    assert.equal(sumOf(page, "streamkeeper_log_bytes"), gateway.hub.stats().logBytes);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

const missing = required(
  "A PostgreSQL server, named by STREAMKEEPER_TEST_POSTGRES,",
  POSTGRES_URL !== undefined,
);

test("metrics' truth: connections to the database are those that the database counts", {
  skip: missing,
}, async () => {
  const server = new Client({ connectionString: POSTGRES_URL });
  await server.connect();
  const name = `streamkeeper_truth_${process.pid}`;
  await server.query(`create database ${name}`);
  const url = new URL(POSTGRES_URL ?? "");
  url.pathname = `/${name}`;
  try {
    const yaml = gatewayYaml().replace("sqlite::memory:", url.href);
    await using gateway = await Gateway.open(parseConfig(yaml, null, {}).config, { log: silentLogger });
    const counted = async () => {
      const { rows } = await server.query("select count(*)::int from pg_stat_activity where datname = $1", [
        name,
      ]);
      return rows[0].count as number;
    };
    const told = async () => {
      const page = await scrape(gateway.url);
      return ["active", "idle"].reduce(
        (sum, state) => sum + sumOf(page, "streamkeeper_database_connections", `"${state}"`),
        0,
      );
    };
    assert.ok((await told()) > 0);
    assert.equal(await told(), await counted());
    await Promise.all(Array.from({ length: 30 }, () => fetch(`${gateway.url}/readyz`)));
    assert.equal(await told(), await counted(), "after many at once");
  } finally {
    await server.query(`drop database ${name} with (force)`);
    await server.end();
  }
});
