/**
 * Follows the README word for word, as a newcomer would: a fresh clone in an empty directory, then its two commands. The
 * short form is test/e2e/readme.test.ts. Needs git, the package registry or npm's cache, and port 8080.
 */
import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { blocksOf } from "../helpers/page-blocks.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** The longest that an installation may take, and the demo to start after it. */
const WITHIN_MS = 10 * 60_000;

test("README, word for word: a clone, its two commands, and the dashboard, a stream and the tests of the connection work", {
  timeout: WITHIN_MS + 60_000,
}, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "streamkeeper-readme-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  execFileSync("git", ["clone", "--quiet", "--no-hardlinks", ROOT, directory]);
  const block = blocksOf("README.md").find(({ code }) => code.includes("npm start"));
  assert.ok(block);
  const guide = await started(t, block.code, directory);
  const [, url = ""] = /running at (\S+)/.exec(guide) ?? [];
  assert.equal(url, "http://127.0.0.1:8080");
  const page = await (await fetch(`${url}/admin/`)).text();
  assert.match(page, /<script type="module"/);
  // What the guide has to paste, but for what never ends by itself.
  const pasted = guide.split("\n").filter((line) => /^echo demo \| /.test(line));
  assert.equal(pasted.length, 2);
  for (const line of pasted) execFileSync("bash", ["-c", line], { cwd: directory, stdio: "pipe" });
});

/** Runs commands until the demo says what to try; ends them, with all they have started, with the test. */
async function started(t: TestContext, code: string, cwd: string): Promise<string> {
  const env = { ...process.env, NODE_OPTIONS: "", npm_config_prefer_offline: "true" };
  const child: ChildProcess = spawn("bash", ["-c", code], { cwd, env, detached: true });
  const closed = once(child, "close");
  t.after(async () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGTERM");
    await closed;
  });
  let printed = "";
  return await new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`not started in time:\n${printed}`)), WITHIN_MS);
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding("utf8").on("data", (text: string) => {
        printed += text;
        if (!/^echo demo \| .* check /m.test(printed)) return;
        clearTimeout(timer);
        resolve(printed);
      });
    child.once("close", () => {
      clearTimeout(timer);
      reject(new Error(`it ended:\n${printed}`));
    });
  });
}
