import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { LoadReport } from "#lab/load/report.ts";
import { Program, run } from "../../test/helpers/program.ts";

const SMALL = ["--sse", "2", "--websocket", "2", "--events", "10"];

test("streamkeeper load: SIGTERM, which its processes get too, ends it with its report and leaves nothing behind", async () => {
  using scene = openScene();
  await using program = new Program(["load", ...SMALL, "--duration", "10m", "--json", "--verbose"], scene);
  await program.printed(/holding: 4 connected/);
  const { pid } = program.child;
  for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" "))
    process.kill(Number(child), "SIGTERM");
  // What it does to them shows in a later sample, one of which may be under way.
  const samples = program.stderr.split("holding:").length - 1;
  await program.printed(new RegExp(`(holding:[^]*){${samples + 2}}`));
  program.child.kill("SIGTERM");
  const { status, stdout, stderr } = await program.finished;
  assert.equal(status, 0, stdout + stderr);
  const report = JSON.parse(stdout) as LoadReport;
  assert.deepEqual([report.interrupted, report.connections.held, report.faults], [true, 4, []]);
  assert.deepEqual(scene.left(), []);
});

test("streamkeeper load: interrupted while its gateway starts, it ends with a report and leaves nothing behind", async () => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    using scene = openScene();
    await using program = new Program(["load", ...SMALL], scene);
    await scene.begun;
    program.child.kill(signal);
    const { status, stdout, stderr } = await program.finished;
    assert.equal(status, 1, stdout + stderr);
    assert.match(stdout, /Failed: it was interrupted with 0 of 4 connected; no event was accepted\.\n$/);
    assert.deepEqual(scene.left(), []);
  }
});

test("streamkeeper load: a page that can't be written is told before the load begins, or else after its report", async () => {
  const [noFolder, folder, full] = await Promise.all([
    run(["load", "--html", "/dev/null/no-such-folder/report.html"]),
    run(["load", "--html", tmpdir()]),
    run(["load", ...SMALL, "--duration", "100ms", "--html", "/dev/full"]),
  ]);
  assert.deepEqual([noFolder.status, folder.status], [2, 2]);
  assert.match(noFolder.stderr, /--html: no page can be written there \(ENOTDIR.*name a file in a folder/);
  assert.match(folder.stderr, /--html: no page can be written there \(EISDIR/);
  assert.equal(full.status, 1);
  assert.match(full.stdout, /All is well/);
  assert.match(full.stderr, /the page was not written \(ENOSPC/);
});

test("streamkeeper load: Ctrl-C ends it with its whole report, in JSON and as a page, and exit status 0", async () => {
  const folder = mkdtempSync(join(tmpdir(), "load-test-"));
  try {
    const html = join(folder, "report.html");
    const args = ["load", "--sse", "3", "--websocket", "3", "--duration", "10m", "--events", "max", "--json"];
    await using program = new Program([...args, "--verbose", "--html", html]);
    await program.printed(/holding: 6 connected/);
    program.child.kill("SIGINT");
    const { status, stdout, stderr } = await program.finished;
    assert.equal(status, 0, stderr);
    const report = JSON.parse(stdout) as LoadReport;
    assert.equal(report.interrupted, true);
    assert.equal(report.connections.held, 6);
    assert.equal(report.plan.eventsPerSecond, null);
    assert.match(readFileSync(html, "utf8"), /<svg /);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("streamkeeper load: what can't be run, or may not, is refused with exit status 2", async () => {
  const [away, bad] = await Promise.all([
    run(["load", "--url", "https://events.example.com"]),
    run(["load", "--sse", "0", "--websocket", "0"]),
  ]);
  assert.equal(away.status, 2);
  assert.match(away.stderr, /--i-own-this-host/);
  assert.equal(bad.status, 2);
  assert.match(bad.stderr, /there must be a subscriber/);
});

test("streamkeeper load: options that would be ignored without others, or with others, are refused", async () => {
  const url = ["--url", "http://127.0.0.1:9"];
  for (const [args, why] of [
    [["--cert", "a.crt"], /--cert and --key need each other/],
    [["--key", "a.key"], /--cert and --key need each other/],
    [[...url, "--cert", "a.crt", "--key", "a.key"], /for the gateway that is started/],
    [[...url, "--password-stdin"], /--password-stdin needs --user/],
  ] as const) {
    const { status, stdout, stderr } = await run(["load", ...SMALL, ...args]);
    assert.equal(status, 2, stdout + stderr);
    assert.match(stderr, why);
  }
});

/** A folder for all that the program keeps for a while. */
function openScene() {
  const folder = mkdtempSync(join(tmpdir(), "load-test-"));
  const kept = join(folder, "tmp");
  mkdirSync(kept);
  const begun = Promise.withResolvers<void>();
  const watcher = watch(kept, () => begun.resolve());
  return {
    env: { TMPDIR: kept },
    /** Resolves once there is something in it. */
    begun: begun.promise,
    left: (): string[] => readdirSync(kept),
    [Symbol.dispose]: (): void => {
      watcher.close();
      rmSync(folder, { recursive: true });
    },
  };
}
