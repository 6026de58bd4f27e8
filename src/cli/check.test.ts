import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { openScriptedGateway } from "../../test/helpers/scripted-gateway.ts";

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));

/** Runs `streamkeeper check` as a user does. */
function run(args: readonly string[], environment: Record<string, string> = {}) {
  return new Promise<{ status: number; stdout: string; stderr: string }>((resolve) => {
    const child = execFile(
      process.execPath,
      ["--conditions=streamkeeper-source", MAIN, "check", ...args],
      { env: { ...process.env, STREAMKEEPER_PASSWORD: "", ...environment } },
      (error, stdout, stderr) => resolve({ status: error === null ? 0 : Number(error.code), stdout, stderr }),
    );
    child.stdin?.end();
  });
}

test("check command: it tells each step, and exits 0 when all is well", async () => {
  await using gateway = await openScriptedGateway("none");
  const url = `http://127.0.0.1:${gateway.port}`;
  const { status, stdout, stderr } = await run(["--url", url, "--topic", "/quotes/AAPL", "--user", "demo"], {
    STREAMKEEPER_PASSWORD: "right",
  });
  assert.equal(stderr, "");
  assert.match(stdout, /^ok {6}sign-in .* signed in as demo/m);
  assert.match(stdout, /^ok {6}resume websocket /m);
  assert.match(stdout, /All that was tested is well; 2 of 11 steps were skipped\.\n$/);
  assert.doesNotMatch(stdout, /right|tok\b/);
  assert.equal(status, 0);
});

test("check command: a failed step exits 1, with why and what to do, in text and in JSON", async () => {
  await using gateway = await openScriptedGateway("unauthorized");
  const url = `http://127.0.0.1:${gateway.port}`;
  const [text, json] = await Promise.all([run(["--url", url]), run(["--url", url, "--json"])]);
  assert.equal(text.status, 1);
  assert.match(text.stdout, /^FAILED {2}sse .*401.*\n {36}→ Sign in with --user/m);
  assert.match(text.stdout, /The test failed at sse\.\n$/);
  assert.equal(json.status, 1);
  const report = JSON.parse(json.stdout);
  assert.equal(report.ok, false);
  const sse = report.steps.find(({ name }: { name: string }) => name === "sse");
  assert.equal(sse.outcome, "failed");
  assert.equal(typeof sse.ms, "number");
});

test("check command: bad usage exits 2 and says what was expected", async () => {
  const runs = await Promise.all([
    run([]),
    run(["--url", "example.com"]),
    run(["--url", "http://127.0.0.1:9", "--timeout", "10"]),
    run(["--url", "http://127.0.0.1:9", "--user", "demo"]),
    run(["--url", "http://127.0.0.1:9", "--password", "x"]),
  ]);
  const expected = [
    /--url/,
    /http:\/\/ or https:\/\//,
    /duration/,
    /password/i,
    /unknown option '--password'/,
  ];
  for (const [index, { status, stdout, stderr }] of runs.entries()) {
    assert.equal(status, 2, stderr);
    assert.equal(stdout, "");
    assert.match(stderr, expected[index] as RegExp);
  }
});
