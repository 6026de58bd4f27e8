import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { Program } from "../helpers/program.ts";
import { required } from "../helpers/required.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const hasCurl = spawnSync("curl", ["--version"]).status === 0;

/** Runs what was pasted until it has printed enough, and ends it with all that it started. */
async function paste(commands: string, pattern: RegExp, times = 1): Promise<string> {
  const shell = spawn("bash", ["-c", commands], {
    cwd: ROOT,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  try {
    await new Promise<void>((resolve, reject) => {
      const take = (text: Buffer) => {
        output += text;
        if (output.split(pattern).length > times) resolve();
      };
      shell.stdout.on("data", take);
      shell.stderr.on("data", take);
      shell.once("close", (status) => reject(new Error(`ended with status ${status} after:\n${output}`)));
    });
  } finally {
    if (shell.exitCode === null) process.kill(-(shell.pid as number), "SIGKILL");
  }
  return output;
}

test("demo: the commands that it prints work when pasted, and a reset of its feed heals", {
  skip: required("curl", hasCurl),
  timeout: 60_000,
}, async () => {
  const startedMs = performance.now();
  await using demo = new Program(["demo", "--port", "0", "--reset-seconds", "1"]);
  await demo.printed(/check --url .*\n/);
  assert.ok(performance.now() - startedMs < 10_000);
  const blocks = demo.stdout
    .split(/\n\n/)
    .map((block) => block.replace(/^#.*$/gm, "").trim())
    .filter((block) => block !== "");
  const [sse, webSocket, tests] = blocks as [string, string, string];
  await paste(sse, /^data: \{"symbol":"AAPL".*\n/m, 3);
  await paste(webSocket, /"symbol":"AAPL"/, 3);
  const [login, check] = tests.split("\n") as [string, string];
  assert.match(await paste(`${login} && echo status $?`, /status 0/), /trader/);
  assert.match(await paste(`${check} && echo status $?`, /status 0/), /resume websocket/);
  const healed = paste(sse, /^data:.*\n/m, 40);
  await demo.printed(/link (?!open).*\n(?:.*\n)*.*link open/);
  await healed;
  demo.child.kill("SIGINT");
  assert.equal((await demo.finished).status, 0);
});
