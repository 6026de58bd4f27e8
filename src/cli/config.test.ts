import assert from "node:assert/strict";
import { test } from "node:test";
import { Command } from "commander";
import { ConfigError } from "#config/fault.ts";
import { EXPECTED_FAULTS } from "../../test/fixtures/config/expected.ts";
import { addConfigCommand } from "./config.ts";

const fixtures = new URL("../../test/fixtures/config/", import.meta.url).pathname;
const broken = "13-feed-urls.yaml";

test("config check: a file with faults is refused with all of them", () => {
  assert.throws(
    () => run("check", "-c", `${fixtures}${broken}`),
    (thrown) => thrown instanceof ConfigError && thrown.faults.length === EXPECTED_FAULTS[broken]?.length,
  );
});

test("config check --json: every fault has its path, line, column, what was expected and what was found", () => {
  const before = process.exitCode;
  try {
    const answer = JSON.parse(run("check", "--json", "-c", `${fixtures}${broken}`));
    assert.equal(process.exitCode, 2);
    assert.equal(answer.ok, false);
    assert.deepEqual(answer.faults[0], {
      path: "feeds.ftp.url",
      line: 2,
      column: 15,
      expected: "an http:// or https:// URL",
      found: '"ftp://feed.example.com/a"',
    });
  } finally {
    process.exitCode = before;
  }
});

test("config check and print: a good file is told to be good, and shown with its defaults and without its secrets", (t) => {
  t.after(() => {
    delete process.env.FEED_TOKEN;
    delete process.env.CONNECTIONS;
  });
  process.env.FEED_TOKEN = "s3cret";
  process.env.CONNECTIONS = "1234";
  assert.match(run("check", "-c", `${fixtures}good.yaml`), /good\.yaml: good \(feeds: quotes, news\)\n$/);
  const printed = run("print", "-c", `${fixtures}good.yaml`);
  assert.match(printed, /connections: 1234/);
  assert.doesNotMatch(printed, /s3cret/);
  assert.equal(
    JSON.parse(run("print", "--json", "-c", `${fixtures}good.yaml`)).feeds.quotes.retry.min,
    "250ms",
  );
});

test("config schema: a JSON Schema is printed", () => {
  const schema = JSON.parse(run("schema"));
  assert.equal(schema.$schema, "https://json-schema.org/draft/2020-12/schema");
  assert.equal(schema.additionalProperties, false);
});

function run(...args: string[]): string {
  let output = "";
  const program = new Command().exitOverride();
  addConfigCommand(program, (text) => {
    output += text;
  });
  program.parse(["config", ...args], { from: "user" });
  return output;
}
