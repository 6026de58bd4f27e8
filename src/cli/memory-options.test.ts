import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { withMemoryOptions } from "./memory-options.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));
const MALLOC = { MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: "131072", MALLOC_TRIM_THRESHOLD_: "131072" };
const plain = { execPath: "/node", execArgv: [], args: ["main.js", "serve"], env: {} };

test("memory options: a plain Node is started with all of them, once", () => {
  const started = withMemoryOptions({ ...plain, execArgv: ["--inspect"], env: { HOME: "/h" } });
  assert.deepEqual(started, {
    command: [
      "/node",
      "--max-semi-space-size=4",
      "--heap-growing-percent=30",
      "--inspect",
      "main.js",
      "serve",
    ],
    env: { ...MALLOC, HOME: "/h" },
  });
  const execArgv = started?.command.slice(1, 4) ?? [];
  assert.equal(withMemoryOptions({ ...plain, execArgv, env: started?.env ?? {} }), null);
});

test("memory options: what somebody chose stays", () => {
  const env = { NODE_OPTIONS: "--max_semi_space_size=16 --no-warnings", MALLOC_ARENA_MAX: "8" };
  assert.deepEqual(withMemoryOptions({ ...plain, execArgv: ["--heap-growing-percent=50"], env }), {
    command: ["/node", "--heap-growing-percent=50", "main.js", "serve"],
    env: { ...MALLOC, ...env },
  });
});

test("memory options: a gateway takes them in its own process, so that signals reach it and its exit status is told", {
  skip: process.platform !== "linux" && "reads /proc",
}, async () => {
  const child = spawn(process.execPath, ["--conditions=streamkeeper-source", MAIN, "demo", "--port", "0"], {
    env: { PATH: process.env.PATH ?? "" },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) =>
    child.once("close", (status, signal) => resolve({ status, signal })),
  );
  for await (const line of createInterface({ input: child.stdout })) if (/http:/.test(line)) break;
  child.stdout.resume();
  const read = (file: string) => readFileSync(`/proc/${child.pid}/${file}`, "utf8").split("\0");
  assert.deepEqual(read("cmdline").slice(1, 4), [
    "--max-semi-space-size=4",
    "--heap-growing-percent=30",
    "--conditions=streamkeeper-source",
  ]);
  assert.ok(read("environ").includes("MALLOC_ARENA_MAX=2"));
  child.kill("SIGTERM");
  assert.deepEqual(await ended, { status: 0, signal: null });
});
