import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { EXPECTED_FAULTS } from "../../test/fixtures/config/expected.ts";
import { ConfigError } from "./fault.ts";
import { loadConfig } from "./load.ts";

const directory = new URL("../../test/fixtures/config/", import.meta.url).pathname;

test("broken files: each of the twenty has its faults written down", () => {
  const files = readdirSync(directory).filter((name) => /^\d\d-.*\.yaml$/.test(name));
  assert.deepEqual(files, Object.keys(EXPECTED_FAULTS));
  assert.equal(files.length, 20);
});

for (const [name, expected] of Object.entries(EXPECTED_FAULTS)) {
  test(`broken files: ${name} is refused with every one of its faults and no other`, () => {
    const file = `${directory}${name}`;
    const error = refusal(file);
    assert.equal(error.code, "config_invalid");
    const lines = error.message.split("\n");
    const matches = lines.map((line, index) => line.startsWith(`${file}:${expected[index]}`));
    assert.ok(
      lines.length === expected.length && !matches.includes(false),
      `told:\n${error.message}\nexpected:\n${expected.join("\n")}`,
    );
  });
}

test("broken files: no secret of theirs is repeated in a fault", () => {
  for (const name of Object.keys(EXPECTED_FAULTS)) {
    assert.doesNotMatch(refusal(`${directory}${name}`).message, /user:secret|x-injected/);
  }
});

function refusal(file: string): ConfigError {
  try {
    loadConfig(file, {});
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigError, String(thrown));
    return thrown;
  }
  return assert.fail(`${file} was accepted`);
}
